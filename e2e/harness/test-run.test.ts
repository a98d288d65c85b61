import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, expect, it } from 'vitest'
import { runProcess, workerId } from './test-run.ts'

const module = path.join(import.meta.dirname, 'test-run.ts')
const folder = mkdtempSync(path.join(tmpdir(), 'test-run-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const program = (name: string, body: string): string => {
  const file = path.join(folder, name)
  writeFileSync(file, `import { runProcess, workerId } from ${JSON.stringify(module)}\n${body}\n`)
  return file
}

it('a worker that has a channel belongs to the process that started it', async () => {
  const child = fork(program('forked.ts', 'process.send({ run: runProcess(), worker: workerId() })'))
  const [told] = (await once(child, 'message')) as [{ run: number; worker: string }]
  expect(told).toEqual({ run: process.pid, worker: `${String(child.pid)}-0` })
})

it('so does one of node:test', () => {
  const file = program(
    'tested.ts',
    `import { it } from 'node:test'\nit('says', () => console.log('run', runProcess(), process.ppid))`,
  )
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { stdout, pid } = spawnSync(process.execPath, ['--test', file], { encoding: 'utf8', env })
  expect(stdout).toMatch(new RegExp(`run ${String(pid)} ${String(pid)}\\b`))
})

it('a process that nobody manages is a run of its own, and its threads belong to it', async () => {
  const file = program('alone.ts', 'console.log(runProcess() === process.pid)')
  expect(spawnSync(process.execPath, [file], { encoding: 'utf8' }).stdout.trim()).toBe('true')
  const thread = program(
    'thread.ts',
    `import { parentPort } from 'node:worker_threads'\nparentPort.postMessage({ run: runProcess(), worker: workerId() })`,
  )
  const [told] = (await once(new Worker(thread), 'message')) as [{ run: number; worker: string }]
  expect(told.run).toBe(process.pid)
  expect(told.worker).not.toBe(workerId())
  expect(runProcess()).toBe(process.send === undefined ? process.pid : process.ppid)
})
