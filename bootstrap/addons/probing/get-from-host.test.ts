import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { getFromHost } from './get-from-host.ts'

const { signal } = new AbortController()

describe('getFromHost', () => {
  it('sends the host name, returns status and body, and names what went wrong', async () => {
    const server = createServer((request, response) => {
      response
        .writeHead(request.headers.host === 'known.test' ? 200 : 404)
        .end(`host ${request.headers.host ?? ''}`)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
    expect(await getFromHost(url, 'known.test', signal)).toEqual({ status: 200, body: 'host known.test' })
    expect(await getFromHost(url, 'unknown.test', signal)).toMatchObject({ status: 404 })
    await new Promise((resolve) => server.close(resolve))
    expect(await getFromHost(url, 'known.test', signal)).toEqual({ error: 'ECONNREFUSED' })
  })
})
