import path from 'node:path'
import {
  TestRunner,
  type RunnerTask,
  type RunnerTestCase,
  type RunnerTestSuite,
  type TestTryOptions,
} from 'vitest'
import { keepQuiet } from '../harness/load-turn.ts'
import { mindsLoad } from '../suites.ts'

/** Runs no test, and begins no suite, that minds load while another suite loads the cluster (`whileQuiet`). The wait is no part of a test's time. */
export default class TurnRunner extends TestRunner {
  private readonly turns = new Map<string, () => void>()

  override async onBeforeRunSuite(suite: RunnerTestSuite): Promise<void> {
    // Its set-up makes pods as tests do; one that has begun is not waited for.
    if ('filepath' in suite && waits(suite)) (await keepQuiet())()
    await super.onBeforeRunSuite(suite)
  }

  override async onBeforeRunTask(test: RunnerTestCase): Promise<void> {
    if (waits(test)) this.turns.set(test.id, await keepQuiet())
    await super.onBeforeRunTask(test)
    if (test.mode !== 'run' && test.mode !== 'queued') this.endTurn(test)
  }

  override async onAfterRetryTask(test: RunnerTestCase, options: TestTryOptions): Promise<void> {
    this.endTurn(test)
    await super.onAfterRetryTask(test, options)
  }

  private endTurn({ id }: RunnerTestCase): void {
    this.turns.get(id)?.()
    this.turns.delete(id)
  }
}

const waits = ({ mode, file }: RunnerTask): boolean =>
  (mode === 'run' || mode === 'queued') && mindsLoad(path.basename(file.filepath, '.e2e.test.ts'))
