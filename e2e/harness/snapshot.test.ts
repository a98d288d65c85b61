import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KubeClient } from '../../bootstrap/kube/client.ts'
import { request } from './http-client.ts'
import { differences, snapshot } from './snapshot.ts'

/** A server that answers discovery and lists as the API server does. */
let server: Server
let base: string
let items: Record<string, object[]>
let broken: string | undefined

const resource = (name: string, kind: string, verbs = ['get', 'list']) => ({ name, kind, verbs })
const object = (name: string, resourceVersion: string, more: object = {}) => ({
  metadata: {
    name,
    namespace: 'slate',
    uid: `u-${name}`,
    resourceVersion,
    managedFields: [
      { manager: 'local-cloud', time: '2026-01-02T00:00:00Z' },
      { manager: 'kubelet', time: '2026-01-01T00:00:00Z' },
    ],
  },
  ...more,
})

beforeAll(async () => {
  server = createServer((incoming, response) => {
    const path = incoming.url ?? ''
    const discovery: Record<string, object> = {
      '/apis': { groups: [{ preferredVersion: { groupVersion: 'apps/v1' } }] },
      '/api/v1': {
        resources: [
          resource('pods', 'Pod'),
          resource('pods/log', 'Pod'),
          resource('nodes', 'Node'),
          resource('events', 'Event'),
          resource('bindings', 'Binding', ['create']),
        ],
      },
      '/apis/apps/v1': { resources: [resource('deployments', 'Deployment')] },
    }
    const answer = discovery[path] ?? (items[path] ? { items: items[path] } : undefined)
    response.writeHead(path === broken ? 503 : answer ? 200 : 404)
    response.end(JSON.stringify(answer ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
})
afterAll(() => {
  server.close()
})
beforeEach(() => {
  broken = undefined
  items = {
    '/api/v1/pods': [object('web', '5')],
    '/api/v1/nodes': [object('n1', '7', { spec: { taints: [] }, status: { conditions: ['10:00'] } })],
    '/api/v1/events': [object('e1', '9')],
    '/apis/apps/v1/deployments': [object('web', '4')],
  }
})

const kube = {
  async raw(path: string) {
    const outcome = await request(base + path, { timeoutMs: 1_000 })
    return outcome.kind === 'answered'
      ? { status: outcome.status, body: outcome.body }
      : { status: 0, body: '' }
  },
} as unknown as KubeClient
const { signal } = new AbortController()
const take = () => snapshot(kube, signal)

describe('snapshot', () => {
  it('holds every listable kind but the heartbeats', async () => {
    expect([...(await take()).keys()].sort()).toEqual([
      'Deployment slate/web',
      'Node slate/n1',
      'Pod slate/web',
    ])
  })

  it('is equal when nothing was written, however much hearts beat', async () => {
    const before = await take()
    items['/api/v1/nodes'] = [object('n1', '8', { spec: { taints: [] }, status: { conditions: ['10:05'] } })]
    items['/api/v1/events'] = []
    expect(differences(before, await take())).toEqual([])
  })

  it('leaves out the status of kinds that are named, and only that', async () => {
    const calm = () => snapshot(kube, signal, { withoutStatus: ['Pod'] })
    const before = await calm()
    items['/api/v1/pods'] = [object('web', '6', { status: { phase: 'Running' } })]
    items['/apis/apps/v1/deployments'] = [object('web', '11', { status: { replicas: 1 } })]
    const changed = (kind: string) => `changed: ${kind} slate/web, by local-cloud at 2026-01-02T00:00:00Z`
    expect(differences(before, await calm())).toEqual([changed('Deployment')])
    items['/api/v1/pods'] = [object('web', '7', { spec: { nodeName: 'n2' } })]
    expect(differences(before, await calm())).toEqual([changed('Deployment'), changed('Pod')])
  })

  it('tells what was made, changed, replaced and deleted, and by whom', async () => {
    const before = await take()
    items['/api/v1/pods'] = [object('new', '12')]
    items['/api/v1/nodes'] = [object('n1', '8', { spec: { taints: ['x'] } })]
    items['/apis/apps/v1/deployments'] = [object('web', '11')]
    expect(differences(before, await take())).toEqual([
      'changed: Deployment slate/web, by local-cloud at 2026-01-02T00:00:00Z',
      'changed: Node slate/n1, by local-cloud at 2026-01-02T00:00:00Z',
      'deleted: Pod slate/web',
      'made: Pod slate/new, by local-cloud at 2026-01-02T00:00:00Z',
    ])
  })

  it('does not take a part of the API that is silent for an empty one', async () => {
    broken = '/apis/apps/v1/deployments'
    await expect(take()).rejects.toMatchObject({ name: 'CheckBroke' })
  })
})
