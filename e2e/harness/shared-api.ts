import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import pLimit from 'p-limit'
import { openApiSocket, type ApiSocket } from '../../bootstrap/engine/api-socket.ts'
import type { Engine } from '../../bootstrap/engine/engine.ts'
import { ownFolder } from './ephemeral-folder.ts'

/** Opening and closing one after the other: both work on the same socket. */
const oneByOne = pLimit(1)
/** Also told apart from a process of the same number in another container. */
const folderName = `api-${String(process.pid)}-${randomBytes(3).toString('hex')}`
/** Where temporary files went when the first cluster was started. */
let root: string | undefined
let api: { socket: ApiSocket; folder: string } | undefined
let users = 0

/**
 * The engine's API, shared by the clusters of this process until the last of them leaves: @testcontainers connects once and keeps the address, so
 * that it is always the same. A service of ours that died meanwhile is started again.
 * @throws LocalCloudError ENGINE_DEAD as `openApiSocket` does
 */
export function useApi(engine: Engine, signal: AbortSignal): Promise<AsyncDisposable & { url: string }> {
  return oneByOne(async () => {
    if (api !== undefined && !(await api.socket.answers(signal))) await close()
    api ??= await open(engine, signal)
    users += 1
    return {
      url: api.socket.url,
      [Symbol.asyncDispose]: () =>
        oneByOne(async () => {
          users -= 1
          if (users === 0) await close()
        }),
    }
  })
}

async function open(engine: Engine, signal: AbortSignal): Promise<{ socket: ApiSocket; folder: string }> {
  root ??= tmpdir()
  const folder = await ownFolder(folderName, root)
  try {
    return { socket: await openApiSocket(engine, { folder, signal }), folder }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function close(): Promise<void> {
  const closing = api
  api = undefined
  if (closing === undefined) return
  await closing.socket[Symbol.asyncDispose]()
  await rm(closing.folder, { recursive: true, force: true })
}
