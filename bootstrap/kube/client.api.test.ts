import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  findKubernetesBinary,
  openApi,
  startApiServer,
  type ApiServer,
} from '../../e2e/harness/api-server.ts'
import { groupVersions, trimmedSchemas } from '../../scripts/schemas/trimmed-schemas.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { resolvePaths } from '../state/paths.ts'
import type { ConnectedKube, KubeObject } from './client.ts'
import { absent } from './conditions/absent.ts'
import { exists } from './conditions/exists.ts'
import { connect } from './connect.ts'

// The client against a real etcd, kube-apiserver and controllers, from the build that a cluster from packages runs.
const paths = resolvePaths(join(import.meta.dirname, '..', '..'), {}, process.env, process.cwd())
const binary = findKubernetesBinary(paths.cacheDir)

function required(path: string | undefined): string {
  if (path === undefined) {
    throw new Error(
      'There is no Kubernetes binary: build the images first (npx zx bootstrap/up.mjs --images packages), or name one in LOCAL_CLOUD_KUBERNETES_BINARY.',
    )
  }
  return path
}

const signal = (): AbortSignal => AbortSignal.timeout(90_000)

let count = 0
const freshName = (): string => {
  count += 1
  return `test-${String(count)}`
}

const configMap = (name: string, data: Record<string, unknown>, namespace = 'default'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
})
const namespaceOf = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name },
})
const refOf = ({ apiVersion, kind, metadata: { name, namespace } }: KubeObject) => ({
  apiVersion,
  kind,
  name,
  ...(namespace === undefined ? {} : { namespace }),
})

const deployment = (name: string, image = 'example.invalid/none:1', namespace = 'default'): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image }] } },
  },
})

const definition = (kind: string): KubeObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${kind.toLowerCase()}s.test.local-cloud.io` },
  spec: {
    group: 'test.local-cloud.io',
    scope: 'Namespaced',
    names: { kind, plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase() },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
          },
        },
      },
    ],
  },
})

async function errorOf(promise: Promise<unknown>): Promise<LocalCloudError> {
  try {
    await promise
  } catch (error) {
    expect(error).toBeInstanceOf(LocalCloudError)
    return error as LocalCloudError
  }
  throw new Error('It did not fail.')
}

describe('the client against a real API server', { timeout: 120_000 }, () => {
  let server: ApiServer
  let kube: ConnectedKube

  beforeAll(async () => {
    server = await startApiServer({
      binary: required(binary),
      controllers: [
        'namespace-controller',
        'garbage-collector-controller',
        'serviceaccount-controller',
        'deployment-controller',
        'replicaset-controller',
        'root-ca-certificate-publisher-controller',
      ],
      signal: AbortSignal.timeout(90_000),
    })
    kube = await connect({ kubeconfigFile: server.kubeconfigFile, signal: signal() })
  }, 120_000)

  afterAll(async () => {
    kube.close()
    await server[Symbol.asyncDispose]()
  })

  it('connects and answers a first request', async () => {
    const client = await connect({ kubeconfigFile: server.kubeconfigFile, signal: signal() })
    expect(
      await client.get({ apiVersion: 'v1', kind: 'Namespace', name: 'default' }, signal()),
    ).toMatchObject({
      kind: 'Namespace',
    })
    client.close()
  })

  it('tells created, unchanged and configured, in the order given', async () => {
    const objects = [configMap(freshName(), { a: '1' }), configMap(freshName(), { a: '1' })]
    const changes = async () => (await kube.apply(objects, { signal: signal() })).map(({ change }) => change)
    expect(await changes()).toEqual(['created', 'created'])
    const [first] = objects
    const before = await kube.get(refOf(objects[1]!), signal())
    expect(await changes()).toEqual(['unchanged', 'unchanged'])
    Object.assign(first!, { data: { a: '2' } })
    expect(await changes()).toEqual(['configured', 'unchanged'])
    expect((await kube.get(refOf(first!), signal()))?.['data']).toEqual({ a: '2' })
    expect((await kube.get(refOf(objects[1]!), signal()))?.metadata.resourceVersion).toBe(
      before?.metadata.resourceVersion,
    )
  })

  it('takes away a field that it had set and leaves those of others', async () => {
    const object = configMap(freshName(), { ours: '1', gone: '1' })
    await kube.apply([object], { signal: signal() })
    await kube.patch(refOf(object), { metadata: { annotations: { theirs: 'yes' } } }, { signal: signal() })
    await kube.apply([{ ...object, data: { ours: '1' } }], { signal: signal(), dryRun: 'skip' })
    const now = await kube.get(refOf(object), signal())
    expect(now?.['data']).toEqual({ ours: '1' })
    expect(now?.metadata.annotations).toEqual({ theirs: 'yes' })
  })

  it('says what a dry run would change and changes nothing', async () => {
    const there = configMap(freshName(), { a: '1' })
    const other = configMap(freshName(), { a: '1' })
    await kube.apply([there, other], { signal: signal() })
    const missing = configMap(freshName(), {})
    const planned = await kube.apply([there, configMap(other.metadata.name, { a: '2' }), missing], {
      signal: signal(),
      dryRun: 'only',
    })
    expect(planned.map(({ change }) => change)).toEqual(['unchanged', 'configured', 'created'])
    expect((await kube.get(refOf(other), signal()))?.['data']).toEqual({ a: '1' })
    expect(await kube.get(refOf(missing), signal())).toBeUndefined()
  })

  it('applies nothing when one object is invalid, and names every field of every such object', async () => {
    const good = configMap(freshName(), { a: '1' })
    const unknownField = { ...configMap(freshName(), {}), dota: {} }
    const wrongType = configMap(freshName(), { a: 1 })
    const wrongValues = deployment(freshName())
    Object.assign(wrongValues['spec'] as object, {
      replicas: -1,
      selector: { matchLabels: { app: 'another' } },
    })
    const error = await errorOf(
      kube.apply([good, unknownField, wrongType, wrongValues], { signal: signal() }),
    )
    expect(error.code).toBe('MANIFEST_INVALID')
    const text = error.evidence.join('\n')
    expect(text).toMatch(/document 2, ConfigMap default\/.*: dota field not declared in schema/)
    expect(text).toMatch(/document 3, ConfigMap default\/.*: data\.a expected string/)
    expect(text).toMatch(/document 4, Deployment .*: spec\.replicas Invalid value: -1/)
    expect(text).toMatch(/document 4, Deployment .*: spec\.template\.metadata\.labels/)
    expect(await kube.get(refOf(good), signal())).toBeUndefined()
  })

  it('checks objects of a namespace to come before it makes the namespace', async () => {
    const name = freshName()
    const broken = deployment('web', 'image', name)
    Object.assign(broken['spec'] as object, { replcas: 2 })
    const error = await errorOf(kube.apply([namespaceOf(name), broken], { signal: signal() }))
    expect(error.evidence.join('\n')).toMatch(/document 2, Deployment .*: spec\.replcas is no field here/)
    expect(await kube.get({ apiVersion: 'v1', kind: 'Namespace', name }, signal())).toBeUndefined()

    const [namespace, map] = [namespaceOf(name), configMap('a', { a: '1' }, name)]
    const changes = await kube.apply([map, namespace], { signal: signal() })
    expect(changes).toEqual([
      { object: refOf(map), change: 'created' },
      { object: refOf(namespace), change: 'created' },
    ])
  })

  it('applies a definition together with an object of its kind', async () => {
    const widget = {
      apiVersion: 'test.local-cloud.io/v1',
      kind: 'Widget',
      metadata: { name: freshName(), namespace: 'default' },
      spec: { size: 1 },
    }
    const changes = await kube.apply([widget, definition('Widget')], { signal: signal() })
    expect(changes.map(({ change }) => change)).toEqual(['created', 'created'])
    await kube.patch(refOf(widget), { spec: { size: 2 } }, { signal: signal() })
    expect((await kube.get(refOf(widget), signal()))?.['spec']).toEqual({ size: 2 })
  })

  it('returns from applying a definition when its kind can be used, and says when it never can', async () => {
    await kube.apply([definition('Sprocket')], { signal: signal() })
    expect(await kube.list({ apiVersion: 'test.local-cloud.io/v1', kind: 'Sprocket' }, signal())).toEqual([])

    const rival = definition('Rival')
    Object.assign(rival['spec'] as object, {
      names: { kind: 'Sprocket', plural: 'rivals', singular: 'rival' },
    })
    const error = await errorOf(kube.apply([rival], { signal: signal() }))
    expect(error.code).toBe('WAIT_TIMEOUT')
    expect(error.message).toContain('names not accepted')
  })

  it('refuses a kind that nobody brings, and lists it as unknown', async () => {
    const gadget = {
      apiVersion: 'test.local-cloud.io/v1',
      kind: 'Gadget',
      metadata: { name: 'a', namespace: 'default' },
    }
    const error = await errorOf(kube.apply([gadget], { signal: signal() }))
    expect(error.code).toBe('MANIFEST_INVALID')
    expect(error.message).toContain('does not serve Gadget')
    expect(
      (await errorOf(kube.list({ apiVersion: 'test.local-cloud.io/v1', kind: 'Gadget' }, signal()))).code,
    ).toBe('API_REFUSED')
  })

  it('waits for the service account that a pod in a new namespace needs', async () => {
    const name = freshName()
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', namespace: name },
      spec: { containers: [{ name: 'main', image: 'example.invalid/none:1' }] },
    }
    const changes = await kube.apply([namespaceOf(name), pod], { signal: signal() })
    expect(changes.map(({ change }) => change)).toEqual(['created', 'created'])
  })

  it('sees a change that comes while it waits', async () => {
    const object = configMap(freshName(), {})
    const waiting = kube.waitFor(refOf(object), exists, { timeoutMs: 60_000, signal: signal() })
    await kube.apply([object], { signal: signal() })
    expect((await waiting)?.metadata.name).toBe(object.metadata.name)
  })

  it('goes on waiting when the API server crashes and comes back', async () => {
    const object = configMap(freshName(), {})
    const seen: string[] = []
    const waiting = kube.waitFor(refOf(object), exists, {
      timeoutMs: 90_000,
      signal: AbortSignal.timeout(100_000),
      onSeen: (words) => seen.push(words),
    })
    while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await server.crash()
    const applying = kube.apply([object], { signal: AbortSignal.timeout(90_000) })
    await server.start(AbortSignal.timeout(90_000))
    expect((await applying)[0]?.change).toBe('created')
    expect(await waiting).toBeDefined()
    expect(seen).toEqual(['does not exist', 'exists'])
  })

  it('ends a wait in time, with the reason and the events of the object', async () => {
    const object = deployment(freshName())
    await kube.apply([object], { signal: signal() })
    const ref = refOf(object)
    await kube.waitForList(
      { apiVersion: 'v1', kind: 'Pod', namespace: 'default', labelSelector: `app=${ref.name}` },
      (pods) => ({ met: pods.length > 0, seen: `${String(pods.length)} pods` }),
      { timeoutMs: 60_000, signal: signal() },
    )
    const started = performance.now()
    const error = await errorOf(
      kube.waitFor(
        ref,
        (found) => ({ met: false, seen: `${String(found?.metadata.generation)} generations` }),
        {
          timeoutMs: 5_000,
          signal: signal(),
        },
      ),
    )
    expect(performance.now() - started).toBeLessThan(45_000)
    expect(error.code).toBe('WAIT_TIMEOUT')
    expect(error.message).toMatch(
      /^Deployment default\/test-\d+ was not as awaited within \d+\.\d s: 1 generations$/,
    )
    const text = error.evidence.join('\n')
    expect(text).toContain('0 of 1 pods ready')
    expect(text).toMatch(/event \S+ Normal ScalingReplicaSet Deployment default\/test-\d+: Scaled up/)
  })

  it('ends a wait at once when the state is fatal', async () => {
    const started = performance.now()
    const error = await errorOf(
      kube.waitFor(
        { apiVersion: 'v1', kind: 'Namespace', name: 'default' },
        () => ({ met: false, fatal: true, seen: 'hopeless' }),
        {
          timeoutMs: 60_000,
          signal: signal(),
        },
      ),
    )
    expect(error.message).toContain('hopeless')
    expect(performance.now() - started).toBeLessThan(45_000)
  })

  it('deletes in the foreground and returns when the object and what it owns are gone', async () => {
    const object = deployment(freshName())
    await kube.apply([object], { signal: signal() })
    const owned = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      namespace: 'default',
      labelSelector: `app=${object.metadata.name}`,
    }
    await kube.waitForList(owned, (sets) => ({ met: sets.length === 1, seen: '' }), {
      timeoutMs: 60_000,
      signal: signal(),
    })
    await kube.delete(refOf(object), { signal: signal(), wait: true })
    expect(await kube.get(refOf(object), signal())).toBeUndefined()
    expect(await kube.list(owned, signal())).toEqual([])
  })

  it('deletes a namespace, also twice, and takes an absent object for deleted', async () => {
    const name = freshName()
    const ref = { apiVersion: 'v1', kind: 'Namespace', name }
    await kube.apply([namespaceOf(name), configMap('a', {}, name)], { signal: signal() })
    await kube.delete(ref, { signal: signal() })
    await kube.delete(ref, { signal: signal(), wait: true })
    expect(absent(await kube.get(ref, signal())).met).toBe(true)
    await kube.delete(ref, { signal: signal(), wait: true })
    await kube.delete(
      { apiVersion: 'test.local-cloud.io/v1', kind: 'Gadget', name: 'a', namespace: 'default' },
      { signal: signal() },
    )
  })

  it('says what keeps an object that does not go', async () => {
    const object = configMap(freshName(), {})
    object.metadata.finalizers = ['test.local-cloud.io/kept']
    await kube.apply([object], { signal: signal() })
    const error = await errorOf(
      kube.delete(refOf(object), { signal: AbortSignal.timeout(5_000), wait: true }),
    )
    expect(error.code).toBe('WAIT_TIMEOUT')
    expect(error.message).toContain('kept by test.local-cloud.io/kept')
    await kube.patch(refOf(object), { metadata: { finalizers: null } }, { signal: signal() })
  })

  it('lets two writers apply the same objects at once', async () => {
    const name = freshName()
    const apply = (value: string) =>
      kube.apply([configMap(name, { a: value })], { signal: signal(), dryRun: 'skip' })
    await Promise.all(Array.from({ length: 8 }, (_, index) => apply(String(index))))
    expect(await kube.get(refOf(configMap(name, {})), signal())).toBeDefined()
  })

  it('keeps the server’s words when it refuses', async () => {
    const error = await errorOf(
      kube.patch(
        { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name: 'nowhere' },
        { data: {} },
        { signal: signal() },
      ),
    )
    expect(error.code).toBe('API_REFUSED')
    expect(error.message).toContain('configmaps "nowhere" not found (HTTP 404, NotFound)')
  })

  it('publishes what our schemas for manifests were made of', async () => {
    const documents = await Promise.all(groupVersions.map((groupVersion) => openApi(server, groupVersion)))
    const file = fileURLToPath(new URL('../manifests/schemas/kubernetes.json', import.meta.url))
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(trimmedSchemas(documents))
  })

  it('lists what can be listed and reads raw paths', async () => {
    const kinds = await kube.listableKinds(signal())
    expect(kinds).toContainEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      resource: 'deployments',
      namespaced: true,
      deletable: true,
    })
    expect(kinds.some(({ kind }) => kind === 'TokenReview')).toBe(false)
    expect(await kube.raw('/readyz', signal())).toEqual({ status: 200, body: 'ok' })
    expect((await kube.raw('/nowhere', signal())).status).toBe(404)
  })
})
