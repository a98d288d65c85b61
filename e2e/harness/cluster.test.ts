import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ConnectedKube, KubeObject } from '../../bootstrap/kube/client.ts'
import type { Plan } from '../../bootstrap/plan/plan.ts'
import { recordData } from '../../bootstrap/steps/record.ts'
import {
  attach,
  choiceFromEnvironment,
  clusterVariables,
  type ClusterChoice,
  type Connect,
} from './cluster.ts'

let stateDir: string
beforeEach(() => {
  stateDir = mkdtempSync(path.join(tmpdir(), 'attach-'))
  mkdirSync(path.join(stateDir, 'clusters', 'demo'), { recursive: true })
  writeFileSync(path.join(stateDir, 'clusters', 'demo', 'kubeconfig'), 'current-context: kind-demo\n')
})
afterEach(() => {
  rmSync(stateDir, { recursive: true })
})

const plan: Plan = {
  name: 'demo',
  provider: 'kind',
  kubernetesVersion: '1.36.4',
  nodes: [{ name: 'demo-control-plane', role: 'control-plane' }],
  listenAddress: '127.0.0.1',
  httpPort: 9080,
  httpsPort: 9443,
  extraMounts: [],
  kubeadmPatches: [],
  addons: [],
  systems: [],
  mergeKubeconfig: false,
}

const configMap = (change: Partial<Plan> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'local-cloud-plan', namespace: 'kube-system' },
  data: recordData({ plan: { ...plan, ...change }, complete: true }),
})

/** A cluster whose only object is the given ConfigMap; any write would throw, for there is no method for it. */
const holding =
  (object: KubeObject | undefined, asked: string[] = []): Connect =>
  ({ context, kubeconfigFile }) => {
    asked.push(context, path.basename(kubeconfigFile))
    return {
      context,
      close: () => undefined,
      get: (ref: { name: string }) =>
        Promise.resolve(ref.name === object?.metadata.name ? object : undefined),
    } as unknown as ConnectedKube
  }

const choice = (change: Partial<ClusterChoice> = {}): ClusterChoice => ({
  name: 'demo',
  paths: { repo: '', stateDir, cacheDir: '' },
  allowForeign: false,
  ...change,
})

const { signal } = new AbortController()

describe('attach', () => {
  it('uses the kubeconfig and context of that cluster, and its own ingress port', async () => {
    const asked: string[] = []
    const cluster = await attach(choice(), signal, holding(configMap(), asked))
    expect(asked).toEqual(['kind-demo', 'kubeconfig'])
    expect(cluster.ingressUrl).toBe('http://127.0.0.1:9080')
    expect(cluster.record?.complete).toBe(true)
  })

  it.each([
    ['0.0.0.0', 'http://127.0.0.1:9080'],
    ['::', 'http://[::1]:9080'],
    ['192.0.2.7', 'http://192.0.2.7:9080'],
    ['fd00::1', 'http://[fd00::1]:9080'],
  ])('reaches an ingress that listens on %s at %s', async (listenAddress, url) => {
    expect((await attach(choice(), signal, holding(configMap({ listenAddress })))).ingressUrl).toBe(url)
  })

  it('refuses a cluster that local-cloud did not make', async () => {
    await expect(attach(choice(), signal, holding(undefined))).rejects.toMatchObject({
      name: 'CheckBroke',
      message: expect.stringContaining('was not made by local-cloud') as string,
    })
    const stranger = { ...configMap(), data: { plan: 'not a plan' } }
    await expect(attach(choice(), signal, holding(stranger))).rejects.toThrow('was not made by local-cloud')
  })

  it('takes a foreign one when told, but does not guess its ingress', async () => {
    await expect(attach(choice({ allowForeign: true }), signal, holding(undefined))).rejects.toThrow(
      '--ingress-url',
    )
    const cluster = await attach(
      choice({ allowForeign: true, ingressUrl: 'http://127.0.0.1:80' }),
      signal,
      holding(undefined),
    )
    expect(cluster).toMatchObject({ name: 'demo', ingressUrl: 'http://127.0.0.1:80' })
    expect(cluster.record).toBeUndefined()
  })

  it('finds the record of an existing cluster in its own namespace, and does not guess its ingress', async () => {
    const existing = { ...plan, provider: 'existing' as const, httpPort: 0, listenAddress: '' }
    writeFileSync(path.join(stateDir, 'clusters', 'demo', 'plan.json'), JSON.stringify(existing))
    const asked: string[] = []
    const holds = (change: Partial<Plan>): Connect => {
      const object = configMap({ ...existing, ...change })
      return ({ context }) =>
        ({
          context,
          get: (ref: { namespace: string }) => {
            asked.push(ref.namespace)
            return Promise.resolve(object)
          },
        }) as unknown as ConnectedKube
    }
    const cluster = await attach(choice(), signal, holds({}))
    expect(asked).toEqual(['local-cloud-demo'])
    expect(() => cluster.ingressUrl).toThrow(
      expect.objectContaining({
        name: 'NotProven',
        message: expect.stringContaining('--ingress-url') as string,
      }),
    )
    const told = await attach(choice(), signal, holds({ ingressUrl: 'http://192.0.2.7' }))
    expect(told.ingressUrl).toBe('http://192.0.2.7')
  })

  it('says how to make a cluster that is not there', async () => {
    await expect(attach(choice({ name: 'other' }), signal, holding(configMap()))).rejects.toThrow(
      /no cluster other.*up\.mjs/,
    )
  })
})

describe('choiceFromEnvironment', () => {
  it('is this checkout and its default cluster when nothing is said', () => {
    const { name, paths, allowForeign } = choiceFromEnvironment({})
    expect({ name, allowForeign }).toEqual({ name: 'local-cloud', allowForeign: false })
    expect(paths.stateDir).toBe(path.join(paths.repo, '.local-cloud'))
  })

  it('takes what it is told', () => {
    expect(
      choiceFromEnvironment({
        [clusterVariables.name]: 'demo',
        [clusterVariables.allowForeign]: '1',
        [clusterVariables.ingressUrl]: 'http://h',
        LOCAL_CLOUD_STATE_DIR: '/s',
      }),
    ).toMatchObject({ name: 'demo', allowForeign: true, ingressUrl: 'http://h', paths: { stateDir: '/s' } })
  })
})
