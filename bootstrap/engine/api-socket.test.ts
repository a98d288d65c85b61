import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openApiSocket } from './api-socket.ts'
import { fakeEngine } from './fake-engine.ts'
import type { Engine } from './engine.ts'
import { temporaryFolder } from './testing/temporary-folder.ts'

const signal = AbortSignal.timeout(30_000)
let folder: string
let server: http.Server | undefined
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => {
  server?.close()
  server = undefined
})

const listening = async (socket: string, status = 200): Promise<void> => {
  server = http.createServer((request, response) =>
    response.writeHead(request.url === '/_ping' ? status : 404).end('OK'),
  )
  await new Promise<void>((resolve) => server?.listen(socket, resolve))
}

/** Leaves a socket as a killed engine does. */
async function dies(socket: string): Promise<void> {
  const script = `require('node:net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`
  const child = spawn(process.execPath, ['--eval', script])
  await once(child, 'exit')
  expect(statSync(socket).isSocket()).toBe(true)
}

/** A podman whose `system service` is a script; it is given the URL as its last argument. */
const podman = (script: string): Engine => {
  const program = path.join(folder, 'podman')
  writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return { ...fakeEngine().engine, program, env: { OURS: 'yes' } }
}
const service = (): Engine =>
  podman(
    `exec ${process.execPath} -e 'require("node:http").createServer((q, a) => a.end(process.env.OURS)).listen(process.argv[1].slice(7))' "$4"`,
  )

describe('where DOCKER_HOST points', () => {
  it('is taken when it answers, and left alone', async () => {
    const socket = path.join(folder, 'engine.sock')
    await listening(socket)
    const variables = { DOCKER_HOST: `unix://${socket}` }
    await using api = await openApiSocket(fakeEngine().engine, { folder, signal, variables })
    expect(api).toMatchObject({ url: `unix://${socket}`, started: false })
  })

  it.each([
    ['a socket that is not there', 'absent.sock', /There is no socket .*absent\.sock/],
    ['no socket at all', 'file.sock', /No container engine answers at unix:.*file\.sock/],
    ['a socket whose engine has died', 'dead.sock', /No container engine answers at unix:.*dead\.sock/],
  ])('is refused when it is %s', async (_, name, words) => {
    const socket = path.join(folder, name)
    if (name === 'file.sock') writeFileSync(socket, '')
    if (name === 'dead.sock') await dies(socket)
    const opened = openApiSocket(fakeEngine().engine, {
      folder,
      signal,
      variables: { DOCKER_HOST: `unix://${socket}` },
    })
    await expect(opened).rejects.toMatchObject({
      code: 'ENGINE_DEAD',
      message: expect.stringMatching(words) as string,
      hint: expect.stringMatching(/DOCKER_HOST names it: start .* or unset DOCKER_HOST/) as string,
    })
  })

  it('is refused when something else answers', async () => {
    const socket = path.join(folder, 'other.sock')
    await listening(socket, 500)
    const opened = openApiSocket(fakeEngine().engine, {
      folder,
      signal,
      variables: { DOCKER_HOST: `unix://${socket}` },
    })
    await expect(opened).rejects.toMatchObject({ code: 'ENGINE_DEAD' })
  })
})

describe('podman without DOCKER_HOST', () => {
  it('has its service started with our configuration, and ended', async () => {
    const api = await openApiSocket(service(), { folder, signal, variables: {} })
    const socket = api.url.replace('unix://', '')
    expect(api.started).toBe(true)
    const said = await new Promise<string>((resolve) =>
      http.get({ socketPath: socket, path: '/', agent: false }, (answer) => {
        answer.on('data', (data: Buffer) => {
          resolve(data.toString())
        })
      }),
    )
    expect(said).toBe('yes')
    await api[Symbol.asyncDispose]()
    expect(existsSync(socket)).toBe(false)
  })

  it('says what the service said when it ends', async () => {
    const opened = openApiSocket(podman('echo "no storage" >&2; exit 125'), { folder, signal, variables: {} })
    await expect(opened).rejects.toMatchObject({ code: 'ENGINE_DEAD', evidence: ['no storage'] })
  })
})
