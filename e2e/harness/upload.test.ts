import http from 'node:http'
import type { AddressInfo } from 'node:net'
import net from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { upload } from './upload.ts'

const servers: (http.Server | net.Server)[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listening(server: http.Server | net.Server): Promise<string> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/in`
}

it('sends every byte that it announces, with the host that it is given', async () => {
  const url = await listening(
    http.createServer((request, response) => {
      let count = 0
      request.on('data', (data: Buffer) => (count += data.length))
      request.on('end', () =>
        response.writeHead(200, { 'x-count': String(count), 'x-host': request.headers.host }).end('body'),
      )
    }),
  )
  const outcome = await upload(url, { bytes: 3_000_001, host: 'slate.local', timeoutMs: 10_000 })
  expect(outcome).toMatchObject({
    kind: 'answered',
    status: 200,
    headers: { 'x-count': '3000001', 'x-host': 'slate.local' },
  })
})

it('sends the body to a server that does not say that it wants it', async () => {
  let count = 0
  const url = await listening(
    net.createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (data: Buffer) => {
        count += data.length
        if (count > 100_000) socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n')
      })
    }),
  )
  expect(await upload(url, { bytes: 100_000, timeoutMs: 10_000 })).toMatchObject({ status: 200 })
})

it('has the answer of a server that refuses at the head and hangs up', async () => {
  const url = await listening(
    net.createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end('HTTP/1.1 413 Too Large\r\nConnection: close\r\n\r\n'))
    }),
  )
  expect(await upload(url, { bytes: 50_000_000, timeoutMs: 10_000 })).toMatchObject({
    kind: 'answered',
    status: 413,
  })
})

it('tells silence, refusal and a connection that is cut apart', async () => {
  const silent = await listening(net.createServer((socket) => socket.on('error', () => undefined)))
  expect(await upload(silent, { bytes: 10, timeoutMs: 100 })).toMatchObject({ kind: 'timeout' })
  const cut = await listening(net.createServer((socket) => socket.destroy()))
  expect(await upload(cut, { bytes: 10, timeoutMs: 5_000 })).toMatchObject({ kind: 'reset' })
  expect(await upload('http://127.0.0.1:1/', { bytes: 10, timeoutMs: 5_000 })).toMatchObject({
    kind: 'refused',
  })
})
