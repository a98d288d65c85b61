import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Capability } from '../../bootstrap/existing/capabilities.ts'
import { isOurs, ownNamespace } from '../../bootstrap/existing/ours.ts'
import type { KubeObject, ObjectRef } from '../../bootstrap/kube/client.ts'
import { deploymentAvailable } from '../../bootstrap/kube/conditions/deployment-available.ts'
import { resolvePaths } from '../../bootstrap/state/paths.ts'
import { refOf, refWords } from '../../bootstrap/steps/objects.ts'
import { eventually } from '../harness/eventually.ts'
import { startForeignCluster, type ForeignCluster } from '../harness/foreign-cluster.ts'
import { linesOf, ownCluster, type Ended, type Line, type OwnCluster } from '../harness/own-cluster.ts'
import { probeImage } from '../harness/probe-pod.ts'
import { differences, snapshot, type ObjectState } from '../harness/snapshot.ts'
import { stableFor } from '../harness/stable-for.ts'
import { readReport } from '../run/read-report.ts'

/*
 * A cluster of three nodes that stock kind made, with a network, storage and objects of others on it: what `--provider existing` puts there,
 * what it refuses, and that afterwards the cluster is what it was, object by object.
 */
const repository = path.join(import.meta.dirname, '..', '..')
const paths = resolvePaths(repository, {}, process.env, repository)
const signal = (ms = 10 * 60_000): AbortSignal => AbortSignal.timeout(ms)

let theirs: ForeignCluster
let ours: OwnCluster
/** The cluster before anything of ours, and the objects of others in full. */
let before: Map<string, ObjectState>
let foreign: { ref: ObjectRef; bytes: string }[]

beforeAll(async () => {
  ours = await ownCluster('existing')
  theirs = await startForeignCluster(`theirs-${ours.name.slice(-4)}`, { nodes: 3, paths, signal: signal() })
  await theirs.kube.apply(foreignObjects, { signal: signal() })
  await theirs.kube.waitFor(
    { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop', namespace: 'theirs' },
    deploymentAvailable,
    { timeoutMs: 120_000, signal: signal() },
  )
  before = await quiet()
  foreign = await Promise.all(
    foreignObjects.map(async (object) => ({ ref: refOf(object), bytes: await bytesOf(refOf(object)) })),
  )
}, 20 * 60_000)
afterAll(async () => {
  await ours[Symbol.asyncDispose]()
  await theirs[Symbol.asyncDispose]()
}, 300_000)

const labels = { 'app.kubernetes.io/part-of': 'shop' }
/** One of each kind that a system of ours has as well, and of those that count for the whole cluster. */
const foreignObjects: KubeObject[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'theirs', labels } },
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: 'theirs', labels },
    data: { colour: 'blue' },
  },
  {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'token', namespace: 'theirs', labels },
    data: { token: Buffer.from('nobody knows').toString('base64') },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'shop', namespace: 'theirs', labels },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [
            { name: 'shop', image: probeImage, imagePullPolicy: 'Never', command: ['sleep', '100000'] },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'shop', namespace: 'theirs', labels },
    spec: { selector: labels, ports: [{ port: 80 }] },
  },
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'closed', namespace: 'theirs', labels },
    spec: { podSelector: {}, policyTypes: ['Ingress'] },
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'theirs', labels },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
  },
  {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'theirs', labels },
    value: 7,
  },
  {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'theirs', labels },
    provisioner: 'example.com/none',
  },
]

/** Made by the network for pods of anybody. */
const ofTheNetwork = /^made: CiliumIdentity /

/** What a CronJob makes, and takes away, when its minute comes: the minute is part of the name. */
const ofTheClock = /^\w+: (Job|Pod) \S+-\d{8}(-\w{5})?(,|$)/

/**
 * Written by controllers of the cluster whenever a pod of anybody becomes ready, or is not for a moment, and when an identity has not been used
 * for a while: nothing that a command of ours would write.
 */
const derived =
  /^\w+: (CiliumEndpoint|EndpointSlice|Endpoints) |^(changed|deleted): CiliumIdentity |^changed: ClusterRole (admin|edit|view), by clusterrole-aggregation-controller /

/** Kinds whose status the kubelets and controllers of others write when it suits them, as after an image was loaded or when a probe was late. */
const withoutStatus = [
  ...['Pod', 'ReplicaSet', 'Deployment', 'DaemonSet', 'StatefulSet', 'CronJob', 'Job'],
  ...['APIService', 'PodDisruptionBudget', 'ResourceQuota'],
]

/** The state of every object. */
const look = (stop: AbortSignal): Promise<Map<string, ObjectState>> =>
  snapshot(theirs.kube, stop, { withoutStatus })

/** What somebody has written to the cluster between the two. */
const written = (...[one, other]: Parameters<typeof differences>): string[] =>
  differences(one, other).filter((line) => !derived.test(line))

/** Pods on their way in or out: as long as there is one, what belongs to it still changes. */
async function unsettled(stop: AbortSignal): Promise<string[]> {
  const pods = await theirs.kube.list({ apiVersion: 'v1', kind: 'Pod' }, stop)
  return pods
    .filter(({ metadata, status }) => {
      const { phase, conditions = [] } = (status ?? {}) as {
        phase?: string
        conditions?: { type: string; status: string }[]
      }
      const isReady = conditions.some((one) => one.type === 'Ready' && one.status === 'True')
      return metadata.deletionTimestamp !== undefined || (phase !== 'Succeeded' && !isReady)
    })
    .map((pod) => `${refWords(refOf(pod))} is on its way in or out`)
}

/** The same, when every pod is ready and nobody has written for a while. */
async function quiet(): Promise<Map<string, ObjectState>> {
  let last = await look(signal())
  await stableFor(
    3,
    'the cluster is quiet',
    async (stop) => {
      const now = await look(stop)
      const changes = [...(await unsettled(stop)), ...differences(last, now)]
      last = now
      return { ok: changes.length === 0, seen: changes.join('; ') || `${String(now.size)} objects unchanged` }
    },
    { timeoutMs: 240_000, intervalMs: 2_000, signal: signal() },
  )
  return last
}

/** Rules of the roles that the cluster gathers from others by label. */
const aggregatedRules = (): Promise<unknown[]> =>
  Promise.all(
    ['admin', 'edit', 'view'].map(async (name): Promise<unknown> => {
      const ref = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', name }
      return (await theirs.kube.get(ref, signal()))?.['rules']
    }),
  )

/** All that the API server says of an object. */
async function bytesOf(ref: ObjectRef): Promise<string> {
  const object = await theirs.kube.get(ref, signal(30_000))
  if (!object) throw new Error(`${refWords(ref)} is gone.`)
  return JSON.stringify(object)
}

/** Whether every object of others is what it was, uid and resource version included. */
async function foreignIsUntouched(): Promise<void> {
  for (const { ref, bytes } of foreign) expect(await bytesOf(ref), refWords(ref)).toBe(bytes)
}

const flags = (...more: string[]): string[] => [
  '--provider',
  'existing',
  '--context',
  theirs.context,
  '--kubeconfig',
  theirs.kubeconfigFile,
  ...more,
]
const onTheirs = (...more: string[]): Promise<Ended> =>
  ours.command('up', flags('--ingress-url', theirs.ingressUrl, ...more))
const errorOf = (ended: Ended): Line | undefined => linesOf(ended).find(({ type }) => type === 'error')
const words = (ended: Ended): string => ended.stdout.slice(-3_000) + ended.stderr.slice(-2_000)
const ok = (ended: Ended): void => {
  expect(ended.exitCode, words(ended)).toBe(0)
}
const namespaceOf = (name: string, metadata = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, ...metadata },
})

/** Runs the suites on what is there, as somebody types it. */
const e2e = (...more: string[]): Promise<{ exitCode: number; words: string }> =>
  new Promise((resolve) => {
    const argv = ['scripts/e2e.mjs', '--name', ours.name, '--state-dir', ours.stateDir, '--no-up', ...more]
    const child = execFile(
      process.execPath,
      argv,
      { cwd: repository, maxBuffer: 64 * 1024 * 1024 },
      (_, stdout, stderr) => {
        resolve({ exitCode: child.exitCode ?? -1, words: stdout.slice(-4_000) + stderr.slice(-4_000) })
      },
    )
  })

describe('refused, and nothing is changed', () => {
  const refused = async (ended: Ended, exitCode: number, code: string): Promise<Line | undefined> => {
    expect(ended.exitCode, words(ended)).toBe(exitCode)
    const error = errorOf(ended)
    expect(error, words(ended)).toMatchObject({ code })
    await foreignIsUntouched()
    expect(existsSync(path.join(ours.stateDir, 'clusters', ours.name))).toBe(false)
    return error
  }

  it('a context that there is not, with those that there are', async () => {
    const ended = await ours.command('up', [
      ...['--provider', 'existing', '--context', 'prod', '--kubeconfig', theirs.kubeconfigFile],
    ])
    expect(await refused(ended, 2, 'BAD_VALUE')).toMatchObject({ hint: `There are: ${theirs.context}.` })
  })

  it('images that nobody has, before anything else is made', async () => {
    const error = await refused(await onTheirs(), 3, 'IMAGE_NOT_SUPPLIED')
    expect(JSON.stringify(error?.['evidence'])).toContain('docker.io/library/slate:local')
    expect(written(before, await look(signal()))).toEqual([])
  })

  it('an add-on that the cluster has from somebody else', async () => {
    const error = await refused(await onTheirs('--addons', 'local-path,metrics-server'), 3, 'FOREIGN_ADDON')
    expect(JSON.stringify(error)).toContain('metrics-server')
  })

  it('a namespace that is somebody else’s, which stays as it is', async () => {
    const { kube } = theirs
    await kube.apply([namespaceOf('slate')], { signal: signal() })
    const ref = refOf(namespaceOf('slate'))
    const bytes = await bytesOf(ref)
    const error = await refused(await onTheirs(), 3, 'FOREIGN_OBJECTS')
    expect(error?.message).toBe('Namespace slate is there and is not ours; nothing was changed.')
    ok(await ours.command('down', flags()))
    expect(await bytesOf(ref)).toBe(bytes)
    await kube.delete(ref, { signal: signal(), wait: true })
  })
})

describe('on the cluster of others', () => {
  it('SLATE comes up, where every node has its images', async () => {
    await theirs.load(theirs.images, signal())
    const wanted = theirs.images.map(({ ref }) => ref)
    await eventually(
      'the nodes say that they have the images',
      async (stop) => {
        const nodes = await theirs.kube.list({ apiVersion: 'v1', kind: 'Node' }, stop)
        const lacking = nodes.filter((node) => {
          const text = JSON.stringify((node['status'] as { images?: unknown } | undefined)?.images)
          return wanted.some((ref) => ref.includes('slate') && !text.includes(ref))
        })
        return { ok: lacking.length === 0, seen: `${String(lacking.length)} nodes do not` }
      },
      { timeoutMs: 360_000, intervalMs: 2_000, signal: signal() },
    )
    // Their own pods show the images that their owner has just put there.
    before = await quiet()
    const ended = await onTheirs('--timeout', '15m')
    ok(ended)
    const result = linesOf(ended).at(-1)
    expect(result).toMatchObject({ type: 'result', command: 'up', changed: true })
    const states = Object.fromEntries(
      ((result?.['capabilities'] ?? []) as { name: string; state: string; by: string }[]).map(
        ({ name, state }) => [name, state],
      ),
    )
    expect(states).toEqual({
      'network policy': 'present',
      dns: 'present',
      storage: 'present',
      metrics: 'present',
      ingress: 'present',
    })
    expect(JSON.stringify(result?.['capabilities'])).toContain('seen to enforce')
    await foreignIsUntouched()
    // The user's kubeconfig is only read; ours has that context alone.
    const own = readFileSync(path.join(ours.stateDir, 'clusters', ours.name, 'kubeconfig'), 'utf8')
    expect(own).toContain(`current-context: ${theirs.context}`)
  })

  it('is ready for status, and a second up changes nothing', async () => {
    const status = linesOf(await ours.command('status')).at(-1)
    expect(status).toMatchObject({ state: 'ready', context: theirs.context, provider: 'existing' })
    const there = await quiet()
    const ended = await ours.command('up', ['--provider', 'existing', '--ingress-url', theirs.ingressUrl])
    ok(ended)
    expect(linesOf(ended).at(-1)).toMatchObject({ changed: false })
    const lines = written(there, await look(signal()))
    expect(lines.filter((line) => !ofTheNetwork.test(line) && !ofTheClock.test(line))).toEqual([])
    await foreignIsUntouched()
  })

  it('the suites take the safe profile by themselves, prove SLATE, and name what they leave out', async () => {
    const directory = path.join(ours.stateDir, 'report')
    const { words: told } = await e2e(
      '--report-dir',
      directory,
      '--suite',
      'smoke',
      '--suite',
      'slate-limits',
    )
    const report = readReport(directory)
    expect(report?.profile, told).toBe('shared')
    const tests = report?.tests ?? []
    const red = tests.filter(({ verdict }) => verdict === 'fail' || verdict === 'error')
    expect(
      red.map(
        ({ suite, path: titles, reasons }) => `${suite}: ${titles.join(' › ')}: ${reasons[0]?.message ?? ''}`,
      ),
      told,
    ).toEqual([])
    const proven = tests.filter(({ suite, verdict }) => suite === 'smoke' && verdict === 'pass')
    expect(proven.length, told).toBeGreaterThan(25)
    const displacing = tests.find(({ path: titles }) => titles.at(-1)?.startsWith('a GPU workload displaces'))
    expect(displacing).toMatchObject({
      verdict: 'not-proven',
      reasons: [{ message: expect.stringContaining('not run on a shared cluster: ') as string }],
    })
    await foreignIsUntouched()
  })

  it('the suites refuse by name what is not safe', async () => {
    for (const [more, why] of [
      [['--suite', 'addons'], '--suite addons: not on a shared cluster: it breaks every add-on'],
      [['--only', 'slate-disruption: several nodes › a drained node gives'], 'it cordons a node'],
      [['--profile', 'full'], '--profile full: others work on this cluster'],
    ] as const) {
      const { exitCode, words: told } = await e2e(...more)
      expect(exitCode, told).toBe(2)
      expect(told).toContain(why)
    }
  })

  it('down removes exactly what up has made, and leaves what somebody has put beside it', async () => {
    const { kube } = theirs
    const note: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'note', namespace: 'slate' },
      data: { from: 'somebody' },
    }
    await kube.apply([note], { signal: signal() })
    const ended = await ours.command('down')
    ok(ended)
    expect(JSON.stringify(linesOf(ended).at(-1))).toContain(
      'Namespace slate, for it holds what is not ours: ConfigMap note',
    )
    const inSlate = await look(signal())
    const left = [...inSlate.keys()].filter((key) => key.includes(' slate/')).sort()
    expect(left).toEqual([
      'ConfigMap slate/kube-root-ca.crt',
      'ConfigMap slate/note',
      'ServiceAccount slate/default',
    ])
    await kube.delete(refOf(note), { signal: signal(), wait: true })
    ok(await ours.command('down', flags()))
    await isAsBefore()
    ok(await ours.command('down'))
    ok(await ours.command('down', flags()))
  })

  it('down removes what an interrupted up has left, by labels alone', async () => {
    const { kube } = theirs
    const running = ours.start('up', flags('--ingress-url', theirs.ingressUrl))
    await eventually(
      'the first objects of SLATE are there',
      async (stop) => {
        const found = await kube.list({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'slate' }, stop)
        return { ok: found.length > 2, seen: `${String(found.length)} Deployments` }
      },
      { timeoutMs: 300_000, intervalMs: 200, signal: signal() },
    )
    running.kill('SIGINT')
    expect((await running.ended).exitCode).toBe(130)
    // Neither the state directory nor the record: the labels are enough.
    rmSync(path.join(ours.stateDir, 'clusters'), { recursive: true })
    const record = { apiVersion: 'v1', kind: 'ConfigMap', namespace: ownNamespace(ours.name) }
    await kube.delete({ ...record, name: 'local-cloud-plan' }, { signal: signal(), wait: true })
    ok(await ours.command('down', flags()))
    await isAsBefore()
  })
})

describe('an add-on that the cluster has not', () => {
  it('is put there when it is asked for by name, is proven and told as ours, and goes with down', async () => {
    await theirs.remove('metrics-server', signal())
    before = await quiet()
    const rulesBefore = await aggregatedRules()
    const metricsOf = (ended: Ended): Partial<Capability> | undefined =>
      ((linesOf(ended).at(-1)?.['capabilities'] ?? []) as Capability[]).find(({ name }) => name === 'metrics')
    expect(metricsOf(await ours.command('status', flags()))).toMatchObject({ state: 'absent', ours: false })
    const ended = await onTheirs('--system', 'none', '--addons', 'metrics-server', '--timeout', '10m')
    ok(ended)
    expect(metricsOf(ended), words(ended)).toMatchObject({ state: 'present', ours: true })
    const { kube } = theirs
    const service = {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      name: 'v1beta1.metrics.k8s.io',
    }
    const put = await kube.get(service, signal())
    expect(put && isOurs(put, ours.name)).toBe(true)
    await eventually(
      'every node has a sample',
      async (stop) => {
        const { status, body } = await kube.raw('/apis/metrics.k8s.io/v1beta1/nodes', stop)
        const names = (JSON.parse(body) as { items?: { metadata: { name: string } }[] }).items ?? []
        return { ok: names.length === 3, seen: `${String(status)}: ${String(names.length)} nodes` }
      },
      { timeoutMs: 120_000, intervalMs: 1_000, signal: signal() },
    )
    const again = await onTheirs('--system', 'none', '--addons', 'metrics-server', '--timeout', '10m')
    ok(again)
    expect(linesOf(again).at(-1), words(again)).toMatchObject({ changed: false })
    await foreignIsUntouched()
    ok(await ours.command('down'))
    expect(await kube.get(service, signal())).toBeUndefined()
    await isAsBefore()
    // The cluster's own controller gathers the right to read metrics into these, and takes it out again.
    expect(await aggregatedRules()).toEqual(rulesBefore)
  })
})

/** Nothing of ours is left, and nothing of others was made, changed or deleted. */
async function isAsBefore(): Promise<void> {
  await foreignIsUntouched()
  const { kube } = theirs
  expect(await kube.get(refOf(namespaceOf(ownNamespace(ours.name))), signal())).toBeUndefined()
  const after = await quiet()
  expect(written(before, after).filter((line) => !ofTheNetwork.test(line))).toEqual([])
}
