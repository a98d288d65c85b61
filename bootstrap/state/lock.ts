import path from 'node:path'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { cannotWrite, isDiskFull } from '../errors/disk-full.ts'
import type { Paths } from '../plan/options.ts'
import { redact } from '../process/redact.ts'
import { throwIfAborted } from '../process/run-command.ts'
import type { Emit } from '../report/events.ts'
import { tryLock, waitForLock } from './lock-folder.mjs'

export interface LockOptions {
  emit: Emit
  /** Ends the wait for the lock. */
  signal: AbortSignal
  /** What this process does, as others that wait are told; default: its command line. */
  command?: string
  /** Whether to wait for another process; default true, else LOCKED is thrown at once. */
  wait?: boolean
  /** Whether to work without a lock, and say so, where the disk is too full for one and nobody else has it; for what frees space. */
  goOnWhenFull?: boolean
}

interface Holder {
  pid: number
  since: string
  command: string
}

const describe = (holder: Holder): string =>
  `process ${String(holder.pid)} (${holder.command}, since ${holder.since})`

/**
 * Runs `work` while no other living process works under the same name and state directory. A lock whose process has
 * ended, however it ended, is free. While it waits it says once for each holder who that is.
 * @throws LocalCloudError LOCKED without `wait`, INTERRUPTED (or the signal's own reason) while waiting, NO_PERMISSION or
 * NO_DISK_SPACE when the state directory cannot be written, and whatever `work` throws.
 */
export async function withLock<T>(
  paths: Paths,
  name: string,
  options: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  throwIfAborted(options.signal)
  const release = await acquire(path.join(paths.stateDir, 'lock', name), name, options)
  try {
    return await work()
  } finally {
    release()
  }
}

async function acquire(folder: string, name: string, options: LockOptions): Promise<() => void> {
  const { emit, signal, wait = true } = options
  const command = redact(options.command ?? ['node', ...process.argv.slice(1)].join(' '))
  try {
    if (wait) {
      const onWait = (holder: Holder) => {
        emit({
          type: 'notice',
          level: 'info',
          message: `Waiting for ${describe(holder)}, which works on ${name}.`,
        })
      }
      return await waitForLock(folder, { command, signal, onWait })
    }
    const attempt = tryLock(folder, command)
    if ('release' in attempt) return attempt.release
    throw new LocalCloudError('LOCKED', {
      message: `${name} is being worked on by ${describe(attempt.holder)}.`,
    })
  } catch (error) {
    if (error instanceof LocalCloudError) throw error
    throwIfAborted(signal)
    if (options.goOnWhenFull === true && isDiskFull(error)) {
      emit({
        type: 'notice',
        level: 'warning',
        message: `No space is left for the lock ${folder}: going on without it.`,
      })
      return () => undefined
    }
    throw cannotWrite(folder, error, `The lock ${folder} could not be taken`)
  }
}
