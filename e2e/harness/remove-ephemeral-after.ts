import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { openEngine } from '../../bootstrap/engine/detect-engine.ts'
import { createEphemeralProvider } from '../../bootstrap/providers/k3s/ephemeral-provider.ts'
import { lifeOf } from '../../bootstrap/state/lock-folder.mjs'
import { stopMs } from './ephemeral-cluster.ts'
import { ephemeralPaths } from './ephemeral-paths.ts'

/** Which cluster is removed, and when. */
export interface Watch {
  name: string
  /** Its files; removed with it. */
  folder: string
  /** The process whose end is waited for; without one it is the end of standard input, which a worker holds open as long as it lives. */
  process?: { pid: number; life: string }
}

/** Milliseconds between two looks at a process that is not a child of this one, whose end nobody tells. */
const lookMs = 300

/*
 * A program of its own: removes a shared ephemeral cluster when those that share it have ended, however they ended. What goes wrong stands in the
 * folder's removal.log, and the next start of an ephemeral cluster removes what is left by its labels.
 */
const { name, folder, process: watched } = JSON.parse(process.argv[2] ?? '') as Watch
if (watched === undefined) {
  for await (const _ of process.stdin);
} else {
  while (lifeOf(watched.pid) === watched.life) await delay(lookMs)
}
const signal = AbortSignal.timeout(stopMs)
const paths = ephemeralPaths(folder)
const engine = await openEngine({ choice: 'auto', paths, install: false, emit: () => undefined, signal })
await createEphemeralProvider({ engine, paths, socket: '' }).delete(name, {
  signal,
  progress: () => undefined,
})
await rm(folder, { recursive: true, force: true })
