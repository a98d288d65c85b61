import { setTimeout as delay } from 'node:timers/promises'
import { locks, type LockMode } from 'node:worker_threads'
import { untilAborted } from '../../bootstrap/process/until-aborted.ts'

/*
 * Who may run while the cluster is loaded. Suites run in worker threads of one process, in which Web Locks hold; those of a thread go with
 * it. A request that has to wait keeps Node.js 24 busy without end (0.7 of a processor, measured), so that locks are only taken when they are free.
 */
const quiet = 'local-cloud-quiet'
/** Held by who waits for quiet to load the cluster, and for a moment by everybody who comes: who came before the load is waited for, who comes later waits. */
const door = 'local-cloud-quiet-door'
/** Milliseconds between two looks whether a lock is free. */
const lookMs = 50

type End = () => void

/** The lock, when nobody holds it otherwise. */
async function take(name: string, mode: LockMode): Promise<End | undefined> {
  const { promise: over, resolve: end } = Promise.withResolvers<undefined>()
  const { promise: taken, resolve, reject } = Promise.withResolvers<boolean>()
  locks
    .request(name, { mode, ifAvailable: true }, (lock) => {
      resolve(lock !== null)
      return lock === null ? undefined : over
    })
    .catch(reject)
  return (await taken)
    ? () => {
        end(undefined)
      }
    : undefined
}

async function takeWhenFree(name: string, mode: LockMode, signal?: AbortSignal): Promise<End> {
  for (;;) {
    signal?.throwIfAborted()
    const end = await take(name, mode)
    if (end !== undefined) return end
    await delay(lookMs, undefined, signal === undefined ? {} : { signal })
  }
}

async function takeQuiet(signal: AbortSignal): Promise<End> {
  const open = await takeWhenFree(door, 'exclusive', signal)
  try {
    const end = await takeWhenFree(quiet, 'exclusive', signal)
    return () => {
      end()
      open()
    }
  } catch (error) {
    open()
    throw error
  }
}

let loading: { turn: Promise<End>; members: number; givenUp: AbortController } | undefined

function begin() {
  const givenUp = new AbortController()
  const turn = takeQuiet(givenUp.signal)
  turn.catch(() => undefined)
  return { turn, members: 0, givenUp }
}

/**
 * Runs `work`, which loads the cluster, while no test runs that minds load: it waits until those that run have ended, and none begins before
 * `work` has. What a suite runs at the same time shares one turn.
 * @throws LocalCloudError INTERRUPTED or the signal's reason when it aborts while this waits; what `work` throws
 */
export async function whileQuiet<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const mine = (loading ??= begin())
  mine.members += 1
  try {
    await untilAborted(mine.turn, signal)
    return await work()
  } finally {
    mine.members -= 1
    if (mine.members === 0) {
      loading = undefined
      mine.givenUp.abort()
      await mine.turn.then(
        (end) => {
          end()
        },
        () => undefined,
      )
    }
  }
}

/** Waits until nothing loads the cluster, and keeps it so until the returned function is called. */
export async function keepQuiet(): Promise<() => void> {
  const enter = await takeWhenFree(door, 'shared')
  const end = await takeWhenFree(quiet, 'shared')
  enter()
  return end
}
