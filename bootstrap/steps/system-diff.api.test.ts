import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findKubernetesBinary, startApiServer, type ApiServer } from '../../e2e/harness/api-server.ts'
import type { ConnectedKube, KubeObject } from '../kube/client.ts'
import { connect } from '../kube/connect.ts'
import { validateSystem } from '../manifests/validate.ts'
import { resolvePaths } from '../state/paths.ts'
import { refKey, stamp } from './objects.ts'
import { systemDiff, type SystemDiff } from './system-diff.ts'

// SLATE's overlays against a real API server: what `npm run slate:diff` says before, between and after `up`.
const paths = resolvePaths(join(import.meta.dirname, '..', '..'), {}, process.env, process.cwd())
const signal = (): AbortSignal => AbortSignal.timeout(120_000)
const render = (environment: string): Promise<KubeObject[]> =>
  validateSystem({ system: 'slate', environment, choices: {} }, { paths, signal: signal() })
const changes = ({ objects }: SystemDiff): Record<string, string[]> =>
  Object.fromEntries(
    [...Map.groupBy(objects, ({ change }) => change)].map(([change, some]) => [
      change,
      some.map(({ object: { kind, name } }) => `${kind} ${name}`),
    ]),
  )

describe('the diff of SLATE against a real API server', { timeout: 180_000 }, () => {
  let server: ApiServer
  let kube: ConnectedKube
  let local: KubeObject[]

  beforeAll(async () => {
    const binary = findKubernetesBinary(paths.cacheDir)
    if (binary === undefined) throw new Error('There is no Kubernetes binary: build the images first.')
    server = await startApiServer({
      binary,
      controllers: ['namespace-controller', 'serviceaccount-controller', 'resourcequota-controller'],
      signal: signal(),
    })
    kube = await connect({ kubeconfigFile: server.kubeconfigFile, signal: signal() })
    local = await render('local')
  }, 180_000)
  afterAll(async () => {
    kube.close()
    await server[Symbol.asyncDispose]()
  })

  const diff = (objects: readonly KubeObject[], applied: readonly KubeObject[] = []): Promise<SystemDiff> =>
    systemDiff({
      kube,
      record: {
        parts: {
          'system.slate': {
            title: 'SLATE',
            objects: Object.fromEntries(stamp(applied, {}).map(({ ref, hash }) => [refKey(ref), hash])),
          },
        },
      },
      system: 'slate',
      objects,
      signal: signal(),
    })

  it('has everything as new while nothing is there, and leaves it so', async () => {
    const seen = await diff(local)
    expect(Object.keys(changes(seen))).toEqual(['created'])
    expect(seen.notes).toHaveLength(1)
    expect(await kube.get({ apiVersion: 'v1', kind: 'Namespace', name: 'slate' }, signal())).toBeUndefined()
    expect(
      await kube.list({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'default' }, signal()),
    ).toEqual([])
  })

  it('finds no difference right after it was applied, and names the one object that somebody changed', async () => {
    const objects = stamp(local, {}).map(({ object }) => object)
    await kube.apply(objects, { signal: signal() })
    expect(Object.keys(changes(await diff(local, local)))).toEqual(['unchanged'])

    const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'slate', name: 'slate-core' }
    await kube.patch(ref, { spec: { replicas: 7 } }, { signal: signal() })
    const seen = await diff(local, local)
    expect(changes(seen)['changed']).toEqual(['Deployment slate-core'])
    expect(seen.objects.find(({ change }) => change === 'changed')?.patch).toMatch(/^- {2}replicas: 7$/m)
    await kube.apply(objects, { signal: signal() })
  })

  it('has the server judge another overlay: what changes, what is made again, what goes, with its warnings', async () => {
    const staging = await render('staging')
    const seen = await diff(staging, local)
    const found = changes(seen)
    expect(found['changed']).toContain('Deployment ollama')
    expect(found['replaced']).toEqual(['Job slate-model-preload'])
    expect(found['removed']).toContain('PersistentVolume slate-workspace-pv')
    // The claim names its volume, and that can never be changed.
    expect(found['refused']).toEqual(['PersistentVolumeClaim slate-workspace-pvc'])
    const ollama = seen.objects.find(({ object }) => object.name === 'ollama' && object.kind === 'Deployment')
    expect(ollama?.warnings.join()).toContain('would violate PodSecurity "restricted')
    const text = JSON.stringify(seen)
    expect(text).not.toContain(Buffer.from('placeholder-not-a-token').toString('base64'))
    expect(text).not.toContain('placeholder-not-a-token')
  })
})
