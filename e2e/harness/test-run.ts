import { threadId } from 'node:worker_threads'

/**
 * The process that lives as long as this run of tests: the one that started this worker (child processes of vitest and jest have a channel to it,
 * those of node:test a variable), else this one, of which a worker may be a thread.
 */
export const runProcess = (): number =>
  process.send !== undefined || process.env['NODE_TEST_CONTEXT'] === 'child-v8' ? process.ppid : process.pid

/** What tells this worker of a run, a process or a thread, from the others of this machine. */
export const workerId = (): string => `${String(process.pid)}-${String(threadId)}`
