import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { findServices, shortName } from './find-services.ts'
import { targetsOf } from './targets.ts'

const slice = (name: string, ports: object[], endpoints: object[], more: object = {}): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace: 'slate', labels: { 'kubernetes.io/service-name': 'web' }, ...more },
  ports,
  endpoints,
})
const endpoint = (name: string, ready?: boolean, kind = 'Pod') => ({
  conditions: ready === undefined ? {} : { ready },
  targetRef: { kind, name },
})
const at = { namespace: 'slate', service: 'web', portName: 'http' }
const ports = [
  { name: 'metrics', port: 9090 },
  { name: 'http', port: 8080 },
]

describe('targetsOf', () => {
  it('has the ready pods, each once, with the port by its name', () => {
    const endpoints = [endpoint('b', true), endpoint('a'), endpoint('c', false), endpoint('d', true, 'Node')]
    expect(targetsOf([slice('1', ports, endpoints), slice('2', ports, [endpoint('b', true)])], at)).toEqual([
      { pod: 'a', port: 8080 },
      { pod: 'b', port: 8080 },
    ])
  })

  it('knows a port without a name, and no slice of another Service, namespace or port', () => {
    const unnamed = slice('1', [{ name: null, port: 80 }], [endpoint('a', true)])
    expect(targetsOf([unnamed], { ...at, portName: '' })).toEqual([{ pod: 'a', port: 80 }])
    expect(targetsOf([unnamed], at)).toEqual([])
    expect(targetsOf([slice('1', ports, [endpoint('a')], { namespace: 'other' })], at)).toEqual([])
    expect(targetsOf([slice('1', ports, [endpoint('a')], { labels: {} })], at)).toEqual([])
  })
})

describe('findServices', () => {
  const services = ['slate-dashboard-svc', 'ollama-svc', 'plain'].map((name) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
  }))
  const find = (...names: string[]) =>
    findServices(services, names, { system: 'slate', flag: 'only' }).map(({ metadata }) => metadata.name)

  it('finds by the whole name and by the short one, in the Services’ order', () => {
    expect(shortName('slate-dashboard-svc', 'slate')).toBe('dashboard')
    expect(find('ollama', 'slate-dashboard-svc')).toEqual(['slate-dashboard-svc', 'ollama-svc'])
    expect(find()).toHaveLength(3)
  })

  it('names those that there are', () => {
    expect(() => find('dashbord')).toThrow(
      '--only dashbord: the system slate has no such Service; it has dashboard, ollama, plain.',
    )
  })
})
