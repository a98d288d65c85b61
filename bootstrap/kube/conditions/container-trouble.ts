import type { KubeObject } from '../client.ts'
import { as, reasonOf, type ContainerStatus, type PodShape } from '../shapes.ts'

/** A container that does not run as it should. */
export interface ContainerTrouble {
  container: string
  /** The kubelet's word, such as CrashLoopBackOff; empty when it gives none. */
  reason: string
  /** The whole of it in one line. */
  words: string
  /** Whether an earlier run of the container has ended, so that there are logs of it. */
  restarted: boolean
}

/** Reasons for waiting that are the ordinary course of a start. */
const ordinary = new Set(['ContainerCreating', 'PodInitializing'])

/** Containers of a pod that wait for more than their start, or have ended badly, init containers first. */
export function containerTroubles(pod: KubeObject): ContainerTrouble[] {
  const { initContainerStatuses = [], containerStatuses = [] } = as<PodShape>(pod).status ?? {}
  return [...initContainerStatuses, ...containerStatuses].flatMap((status) => {
    const words = troubleWords(status)
    if (words === undefined) return []
    const reason = status.state?.waiting?.reason ?? status.state?.terminated?.reason ?? ''
    return [{ container: status.name, reason, words, restarted: (status.restartCount ?? 0) > 0 }]
  })
}

function troubleWords(status: ContainerStatus): string | undefined {
  const { waiting, terminated } = status.state ?? {}
  const before = status.lastState?.terminated
  const ended = before === undefined ? '' : `, last run ${endWords(before)}`
  if (waiting && !ordinary.has(waiting.reason ?? ''))
    return `container ${status.name} waits: ${reasonOf(waiting)}${ended}`
  if (terminated && terminated.exitCode !== 0) return `container ${status.name} ${endWords(terminated)}`
  const restarts = status.restartCount ?? 0
  if (status.state?.running && status.ready === false && restarts > 0) {
    return `container ${status.name} has restarted ${String(restarts)} times${ended}`
  }
  return undefined
}

const endWords = (ended: { exitCode?: number; reason?: string; message?: string }): string => {
  const why = reasonOf(ended)
  return `ended with exit code ${String(ended.exitCode ?? '?')}${why === '' ? '' : ` (${why})`}`
}
