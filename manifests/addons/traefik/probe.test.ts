import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { fakeProbeCluster } from '../../../bootstrap/addons/fake-probe-cluster.ts'
import { probe } from './probe.ts'

const body = 'local-cloud ingress probe'
let server: Server | undefined

afterEach(async () => {
  vi.useRealTimers()
  await new Promise<void>((resolve) => {
    if (server === undefined) resolve()
    else
      server.close(() => {
        resolve()
      })
  })
  server = undefined
})

/** A real server on the host's side; the probe's clock runs ahead so that it gives up after two looks. */
async function result(answer?: (host: string) => [number, string]): ReturnType<typeof probe> {
  const fake = fakeProbeCluster()
  if (answer) {
    server = createServer((request, response) => {
      const [status, text] = answer(request.headers.host ?? '')
      response.writeHead(status).end(text)
    })
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
    fake.context.ingressUrl = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  }
  vi.useFakeTimers({ toFake: ['Date'] })
  const running = setInterval(() => vi.setSystemTime(Date.now() + 10_000), 20)
  try {
    return await probe(fake.context)
  } finally {
    clearInterval(running)
  }
}

describe('the probe of traefik', () => {
  it('passes with 200 for the known host and 404 for another', async () => {
    expect(
      await result((host) => (host === 'probe-ns.test' ? [200, body] : [404, 'not found'])),
    ).toMatchObject({ result: 'pass' })
  })

  it.each<[string, ((host: string) => [number, string]) | undefined, string]>([
    ['nothing listens', undefined, 'no answer (ECONNREFUSED)'],
    ['no route is there', () => [404, 'not found'], 'a known host name, probe-ns.test, got 404'],
    [
      'another server answers',
      () => [200, 'welcome'],
      'a known host name, probe-ns.test, got 200 with another text',
    ],
    ['every host name is served', () => [200, body], 'an unknown host name, unknown-probe-ns.test, got 200'],
  ])('fails when %s', async (_, answer, seen) => {
    expect(await result(answer)).toMatchObject({
      result: 'fail',
      seen: expect.stringContaining(seen) as string,
    })
  })

  it('says nothing when its own pod does not start', async () => {
    const fake = fakeProbeCluster()
    fake.stuck.add('server')
    const controller = new AbortController()
    setTimeout(() => {
      controller.abort()
    }, 50)
    await expect(probe({ ...fake.context, signal: controller.signal })).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
  })
})
