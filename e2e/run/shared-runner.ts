import type { RunnerTask, RunnerTestFile } from 'vitest'
import path from 'node:path'
import { refusedOnShared } from '../suites.ts'
import TurnRunner from './turn-runner.ts'

/**
 * Runs the tests that are safe on a cluster on which others work, and of the others nothing, not even the set-up of a suite that has no safe
 * test. Why each is left out the report says (`refusedOnShared`).
 */
export default class SharedRunner extends TurnRunner {
  onCollected(files: RunnerTestFile[]): void {
    for (const file of files) leaveOut(file, path.basename(file.filepath, '.e2e.test.ts'), [])
  }
}

/** Marks what is not to run, and everything that holds nothing else. */
function leaveOut(task: RunnerTask, suite: string, above: readonly string[]): void {
  const titles = 'filepath' in task ? [] : [...above, task.name]
  if (task.type === 'test') {
    if (refusedOnShared({ suite, path: titles }) !== undefined) task.mode = 'skip'
    return
  }
  for (const child of task.tasks) leaveOut(child, suite, titles)
  if (task.tasks.length > 0 && task.tasks.every(({ mode }) => mode === 'skip' || mode === 'todo'))
    task.mode = 'skip'
}
