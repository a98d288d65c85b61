import type { Socket } from 'node:net'
import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import type { ConnectedKube } from '../kube/client.ts'
import { pause } from '../kube/pause.ts'
import { join } from './join.ts'
import type { Route } from './route.ts'

export interface ServeOptions {
  kube: Pick<ConnectedKube, 'portForward'>
  namespace: string
  route: Route
  /** How long a connection waits for a pod that lets it in, milliseconds. */
  waitMs: number
  /** Silence of the pod after which a connection is closed whose client has ended its side, milliseconds. */
  lingerMs: number
  signal: AbortSignal
}

/** Milliseconds for opening one connection into a pod. */
const openTimeoutMs = 5_000
/** Milliseconds between two attempts of one connection. */
const againMs = 200

/**
 * Leads one accepted, paused socket into a ready pod. A pod that does not let it in is passed over and, as long as nothing that was
 * said has reached a program, another one is tried until `waitMs` is over. The socket is closed in every case.
 * @returns why it was closed without having been served, or was cut; undefined when it was served to its end.
 */
export async function serve(socket: Socket, options: ServeOptions): Promise<string | undefined> {
  const { kube, namespace, route, waitMs, lingerMs, signal } = options
  const until = performance.now() + waitMs
  const left = (): number => Math.max(0, until - performance.now())
  const sent: Buffer[] = []
  let last = ''
  socket.on('error', () => undefined)
  const cut = (): void => {
    socket.destroy()
  }
  signal.addEventListener('abort', cut, { once: true })
  try {
    for (let attempt = 0; !socket.destroyed && !signal.aborted; attempt += 1) {
      if (attempt > 0) {
        if (left() === 0) break
        await pause(Math.min(againMs, left()), signal).catch(() => undefined)
      }
      const target = await route.next(left(), signal)
      if (!target) break
      try {
        const remote = await kube.portForward({ namespace, name: target.pod }, target.port, {
          signal,
          openTimeoutMs: Math.max(1_000, Math.min(openTimeoutMs, left())),
        })
        const end = await join(socket, remote, sent, lingerMs)
        if (end.kind === 'ended') return undefined
        if (end.kind === 'cut') return stopped(signal) ? undefined : end.reason
        last = end.reason
      } catch (error) {
        last = toLocalCloudError(error).message
      }
      route.distrust(target.pod)
    }
    if (stopped(signal) || socket.destroyed) return undefined
    const seconds = `${String(waitMs / 1000)} s`
    return last === '' ? `no pod was ready within ${seconds}` : `no pod took it within ${seconds}: ${last}`
  } finally {
    signal.removeEventListener('abort', cut)
    if (!socket.writableEnded) socket.destroy()
  }
}

/** A call, because an abort in between is invisible to the type checker. */
const stopped = (signal: AbortSignal): boolean => signal.aborted
