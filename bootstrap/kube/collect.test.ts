import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { ConnectedKube, KubeObject } from './client.ts'
import { collectDiagnostics } from './collect.ts'

type Source = Pick<ConnectedKube, 'get' | 'list' | 'logs' | 'raw' | 'listableKinds'>

const objects: KubeObject[] = [
  {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'key',
      namespace: 'slate',
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration': '{"stringData":{"password":"hunter22"}}',
        kept: 'yes',
      },
    },
    data: { password: 'aHVudGVyMjI=' },
  },
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: 'slate' },
    data: { 'app.env': 'API_TOKEN=supersecret1' },
  },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'other', namespace: 'elsewhere' }, data: {} },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'core', namespace: 'slate' },
    status: {
      containerStatuses: [
        { name: 'main', restartCount: 1, state: { running: {} } },
        { name: 'late', state: { waiting: { reason: 'ContainerCreating' } } },
      ],
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    status: { conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }] },
  },
  ...['2030-01-01T00:00:02Z', '2030-01-01T00:00:01Z'].map((lastTimestamp) => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: lastTimestamp, namespace: 'slate' },
    type: 'Normal',
    reason: 'Pulled',
    message: 'image is there',
    lastTimestamp,
    involvedObject: { kind: 'Pod', name: 'core', namespace: 'slate' },
  })),
]

const source: Source = {
  get: () => Promise.resolve(undefined),
  list: ({ kind, namespace }) =>
    kind === 'Widget'
      ? Promise.reject(new LocalCloudError('API_REFUSED', { message: 'widgets cannot be listed' }))
      : Promise.resolve(
          objects.filter(
            (object) =>
              object.kind === kind && (namespace === undefined || object.metadata.namespace === namespace),
          ),
        ),
  logs: ({ container, previous }) =>
    Promise.resolve(`${container ?? ''} ${previous === true ? 'before' : 'now'}, password=hunter22\n`),
  raw: (path) =>
    Promise.resolve({ status: 200, body: path === '/version' ? '{"gitVersion":"v1.36.4"}' : 'ok' }),
  listableKinds: () =>
    Promise.resolve(
      [
        ['ConfigMap', 'configmaps'],
        ['Event', 'events'],
        ['Node', 'nodes'],
        ['Pod', 'pods'],
        ['Secret', 'secrets'],
        ['Widget', 'widgets'],
      ].map(([kind = '', resource = '']) => ({
        apiVersion: 'v1',
        kind,
        resource,
        namespaced: kind !== 'Node',
        deletable: true,
      })),
    ),
}

async function collect(options: { namespaces?: string[] } = {}): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for await (const { path, content } of collectDiagnostics(source, {
    ...options,
    signal: AbortSignal.timeout(10_000),
  })) {
    expect(files).not.toHaveProperty([path])
    files[path] = content
  }
  return files
}

describe('collectDiagnostics', () => {
  it('gives every object, log, event and version its place', async () => {
    const files = await collect()
    expect(Object.keys(files).sort()).toEqual([
      'cluster/nodes.yaml',
      'events.txt',
      'livez.txt',
      'namespaces/elsewhere/configmaps.yaml',
      'namespaces/slate/configmaps.yaml',
      'namespaces/slate/events.txt',
      'namespaces/slate/logs/core/main.log',
      'namespaces/slate/logs/core/main.previous.log',
      'namespaces/slate/pods.yaml',
      'namespaces/slate/secrets.yaml',
      'nodes.txt',
      'not-collected.txt',
      'readyz.txt',
      'version.json',
    ])
    expect(files['nodes.txt']).toBe('n\n  Ready=True KubeletReady\n')
    expect(files['not-collected.txt']).toContain('widgets cannot be listed')
    expect(files['events.txt']?.split('\n').map((line) => line.slice(0, 20))).toEqual([
      '2030-01-01T00:00:01Z',
      '2030-01-01T00:00:02Z',
      '',
    ])
  })

  it('lets no secret out', async () => {
    const files = await collect()
    const all = Object.values(files).join('\n')
    for (const secret of ['hunter22', 'aHVudGVyMjI=', 'supersecret1']) expect(all).not.toContain(secret)
    const [secret] = [...parseAllDocuments(files['namespaces/slate/secrets.yaml'] ?? '')].map(
      (document) => document.toJS() as KubeObject,
    )
    expect(secret?.['data']).toEqual({ password: '[removed]' })
    expect(secret?.metadata.annotations).toEqual({ kept: 'yes' })
  })

  it('keeps to the namespaces asked for', async () => {
    const files = await collect({ namespaces: ['elsewhere'] })
    expect(Object.keys(files).filter((path) => path.startsWith('namespaces/'))).toEqual([
      'namespaces/elsewhere/configmaps.yaml',
    ])
    expect(files).toHaveProperty(['cluster/nodes.yaml'])
  })

  it('ends with its signal', async () => {
    const stop = new AbortController()
    const read = async (): Promise<void> => {
      for await (const { path } of collectDiagnostics(
        { ...source, list: () => Promise.reject(new Error('aborted')) },
        { signal: stop.signal },
      )) {
        if (path === 'livez.txt') stop.abort()
      }
    }
    await expect(read()).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })
})
