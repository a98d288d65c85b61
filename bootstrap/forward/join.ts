import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** How a connection ended. `refused`: nothing in the pod took it, and all that was sent is still at hand. */
export type JoinEnd =
  { kind: 'ended' } | { kind: 'refused'; reason: string } | { kind: 'cut'; reason: string }

/** Bytes that are kept, as long as the pod has not answered, to send them to another one. */
const mostKept = 64 * 1024
/** Words with which a node says that the connection never reached a program in the pod. */
const neverReached = /connection refused|no such pod|not found|not running|namespace .* is closed/i

/**
 * Carries bytes between a socket of this machine and a connection into a pod until one of them ends. `sent` holds what the client
 * has said so far and is sent first; it grows with what is read, so that after `refused` the same can be tried elsewhere with it.
 * The connection into the pod knows no half-closed state: when the client ends its side, what the pod still says is passed on
 * until the pod ends or is silent for `lingerMs`.
 */
export function join(local: Socket, remote: Duplex, sent: Buffer[], lingerMs: number): Promise<JoinEnd> {
  return new Promise((resolve) => {
    let keeping = true
    let answered = false
    let linger: NodeJS.Timeout | undefined
    let over = false

    const finish = (end: JoinEnd): void => {
      if (over) return
      over = true
      clearTimeout(linger)
      local.off('data', onData)
      local.off('end', onEnd)
      local.off('close', onGone)
      local.off('drain', onDrain)
      if (end.kind === 'refused') local.pause()
      if (end.kind === 'ended') seeOff(local, lingerMs)
      remote.on('error', () => undefined)
      remote.destroy()
      resolve(end)
    }
    const wait = (): void => {
      clearTimeout(linger)
      linger = setTimeout(() => {
        local.end()
        finish({ kind: 'ended' })
      }, lingerMs)
    }
    const onData = (chunk: Buffer): void => {
      if (keeping && !answered) {
        sent.push(chunk)
        keeping = sent.reduce((sum, { length }) => sum + length, 0) <= mostKept
      }
      if (!remote.write(chunk)) local.pause()
    }
    const onEnd = (): void => {
      wait()
    }
    const onGone = (): void => {
      finish({ kind: 'ended' })
    }
    const onDrain = (): void => {
      remote.resume()
    }

    remote.on('drain', () => {
      local.resume()
    })
    remote.on('data', (chunk: Buffer) => {
      answered = true
      sent.length = 0
      if (linger) wait()
      if (!local.write(chunk)) remote.pause()
    })
    remote.on('end', () => {
      local.end()
      finish({ kind: 'ended' })
    })
    remote.on('error', (error) => {
      const reason = error.message
      const again =
        !answered &&
        keeping &&
        error instanceof LocalCloudError &&
        error.code === 'API_REFUSED' &&
        neverReached.test(reason)
      finish(again ? { kind: 'refused', reason } : { kind: 'cut', reason })
    })
    local.on('data', onData)
    local.on('end', onEnd)
    local.on('close', onGone)
    local.on('drain', onDrain)
    for (const chunk of [...sent]) remote.write(chunk)
    if (local.readableEnded) wait()
    local.resume()
  })
}

/** Reads what the client still says, which nobody wants, so that its farewell is seen; one that says none is left after a while. */
function seeOff(local: Socket, lingerMs: number): void {
  if (local.destroyed) return
  const timer = setTimeout(() => {
    local.destroy()
  }, lingerMs)
  local.once('close', () => {
    clearTimeout(timer)
  })
  local.resume()
}
