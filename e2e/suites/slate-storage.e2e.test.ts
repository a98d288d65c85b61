import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { absent } from '../../bootstrap/kube/conditions/absent.ts'
import { pvcBound } from '../../bootstrap/kube/conditions/pvc-bound.ts'
import { quantity } from '../../bootstrap/manifests/quantity.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { requireCanary } from '../harness/canaries.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { execInComponent } from '../harness/component-exec.ts'
import { assertNegative } from '../harness/controls.ts'
import { consistently } from '../harness/consistently.ts'
import { eventually } from '../harness/eventually.ts'
import { describeHttp, type HttpOutcome } from '../harness/http-client.ts'
import { createNamespace } from '../harness/namespace.ts'
import { startProbePod } from '../harness/probe-pod.ts'
import { recordOf } from '../harness/record.ts'
import { requireSlate } from '../harness/slate.ts'
import { expectFacts } from '../harness/slate-facts.ts'
import { objectNamed, slateObjects } from '../harness/slate-objects.ts'
import { requestPod, podsWith } from '../harness/slate-pods.ts'
import { CheckBroke } from '../harness/verdict.ts'
import { podsOfCopy } from '../harness/web-copy.ts'
import { startCopy, startsSoon } from '../harness/workload-copy.ts'

/*
 * The claims of SLATE and what is behind them (000 Storage Summary, 001 Local Storage), and the life of a claim of their class in a
 * namespace of the suite's own.
 */
const contract = readContract()
const namespace = contract.namespace.name
const { volumes } = contract.environments.local
const claims = Object.entries(contract.claims.sizes).map(([name, size]) => ({
  name,
  size,
  volume: volumes[name],
}))
const defaultClass = 'storageclass.kubernetes.io/is-default-class'

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
})

interface ClaimSpec {
  storageClassName?: string
  volumeName?: string
  accessModes: string[]
  resources: { requests: { storage: string } }
}
interface VolumeSpec {
  capacity: { storage: string }
  accessModes: string[]
  claimRef?: { namespace: string; name: string; uid: string }
  storageClassName?: string
  persistentVolumeReclaimPolicy: string
}

const claimRef = (name: string, where = namespace) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  namespace: where,
  name,
})
const volumeRef = (name: string) => ({ apiVersion: 'v1', kind: 'PersistentVolume', name })

/** Name and reclaim policy of the class that a claim gets which names none. */
async function classOf(
  signal: AbortSignal,
): Promise<{ name: string; reclaimPolicy: string; volumeBindingMode: string }> {
  const all = await cluster.kube.list({ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' }, signal)
  const found = all.filter(({ metadata }) => metadata.annotations?.[defaultClass] === 'true')
  const [one] = found
  if (!one || found.length > 1)
    throw new CheckBroke(`The cluster has ${String(found.length)} default storage classes.`)
  return {
    name: one.metadata.name,
    reclaimPolicy: String(one['reclaimPolicy']),
    volumeBindingMode: String(one['volumeBindingMode']),
  }
}

describe('claims of SLATE', () => {
  it.each(claims)(
    '$name is bound, with the stated size and access, to a volume of the stated class',
    async ({ name, size, volume }) => {
      requireSlate(cluster)
      const signal = AbortSignal.timeout(20_000)
      const claim = await cluster.kube.get(claimRef(name), signal)
      if (!claim) return expect.fail(`There is no claim ${name}.`)
      const spec = claim['spec'] as ClaimSpec
      expect((claim['status'] as { phase?: string }).phase).toBe('Bound')
      const wantedClass = volume ? String(volume.spec['storageClassName']) : (await classOf(signal)).name
      expect({
        size: spec.resources.requests.storage,
        modes: spec.accessModes,
        class: spec.storageClassName,
      }).toEqual({
        size,
        modes: contract.claims.accessModes,
        class: wantedClass,
      })
      const bound = await cluster.kube.get(volumeRef(spec.volumeName ?? ''), signal)
      const behind = bound?.['spec'] as VolumeSpec | undefined
      expect(behind?.claimRef).toMatchObject({ namespace, name, uid: claim.metadata.uid })
      expect(quantity(behind?.capacity.storage ?? '0')).toBeGreaterThanOrEqual(quantity(size))
      expect(behind?.accessModes).toEqual(expect.arrayContaining(contract.claims.accessModes))
      if (volume) expect(spec.volumeName).toBe(volume.name)
    },
  )

  it.each(Object.values(volumes))(
    'volume $name is as stated: its folder, size, class and reclaim policy',
    async ({ name, spec }) => {
      requireSlate(cluster)
      const volume = await cluster.kube.get(volumeRef(name), AbortSignal.timeout(20_000))
      const live = (volume?.['spec'] ?? {}) as Record<string, unknown>
      // A class of "" is left out by the API server.
      expect({
        storageClassName: '',
        ...Object.fromEntries(Object.keys(spec).flatMap((key) => (key in live ? [[key, live[key]]] : []))),
      }).toEqual(spec)
    },
  )

  it.each(contract.deployments)(
    '$name mounts the stated claims, and each is a mount of its own in the container',
    async (row) => {
      requireSlate(cluster)
      const signal = AbortSignal.timeout(30_000)
      await expectFacts(
        cluster,
        `Deployment/${row.name}`,
        ['claims mounted', ...(row.claimPaths ? ['mount path of a claim'] : [])],
        signal,
      )
      if (row.claims.length === 0) return
      const pods = await podsWith(
        cluster,
        { namespace, labels: { 'app.kubernetes.io/component': row.component } },
        signal,
      )
      const pod = pods.find(({ ready }) => ready)
      if (!pod) throw new CheckBroke(`No pod of ${row.name} is ready.`)
      const spec = pod.object['spec'] as {
        volumes: { name: string; persistentVolumeClaim?: { claimName: string } }[]
        containers: { volumeMounts: { name: string; mountPath: string }[] }[]
      }
      const paths = row.claims.map((claim) => {
        const volume = spec.volumes.find((one) => one.persistentVolumeClaim?.claimName === claim)
        return (
          spec.containers[0]?.volumeMounts.find((mount) => mount.name === volume?.name)?.mountPath ??
          `no mount of ${claim}`
        )
      })
      const { stdout, exitCode } = await execInComponent(
        cluster.kube,
        { namespace, component: row.component },
        ['cat', '/proc/self/mounts'],
        signal,
      )
      if (exitCode !== 0) throw new CheckBroke(`The mounts of ${row.name} cannot be read.`)
      const mounted = stdout.split('\n').map((line) => line.split(' ')[1])
      expect(mounted).toEqual(expect.arrayContaining(paths))
    },
  )
})

const claimOf = (where: string, name: string, spec: Partial<ClaimSpec> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: where },
  spec: { accessModes: contract.claims.accessModes, resources: { requests: { storage: '16Mi' } }, ...spec },
})

describe.concurrent('the life of a claim', () => {
  it('waits for its first pod, is bound then, keeps its bytes for later pods, and goes with its volume', async ({
    task,
    signal,
    expect: check,
  }) => {
    requireCanary('storage')
    const { kube, runId } = cluster
    const shipped = await classOf(signal)
    check(shipped).toMatchObject({ reclaimPolicy: 'Delete', volumeBindingMode: 'WaitForFirstConsumer' })
    await using space = await createNamespace({ kube, runId, purpose: 'claim', signal })
    const name = 'bytes'
    await kube.apply([claimOf(space.name, name)], { signal, dryRun: 'skip' })
    const phase = async (stop: AbortSignal) => {
      const claim = await kube.get(claimRef(name, space.name), stop)
      return (claim?.['status'] as { phase?: string } | undefined)?.phase ?? 'no claim'
    }
    const events = async (stop: AbortSignal) =>
      (
        await kube.list(
          {
            apiVersion: 'v1',
            kind: 'Event',
            namespace: space.name,
            fieldSelector: `involvedObject.name=${name}`,
          },
          stop,
        )
      ).map((event) => String(event['reason']))
    await eventually(
      'the claim says that it waits',
      async (stop) => {
        const seen = await events(stop)
        return { ok: seen.includes('WaitForFirstConsumer'), seen: seen.join(', ') || 'no event' }
      },
      { timeoutMs: 30_000, intervalMs: 500, signal },
    )
    const pending = await consistently(
      'nobody uses it, so it is Pending',
      async (stop) => {
        const seen = await phase(stop)
        return { ok: seen === 'Pending', seen }
      },
      { timeoutMs: 3_000, intervalMs: 500, signal },
    )
    const open = (pod: string) =>
      startProbePod({ kube, runId, namespace: space.name, name: pod, claims: { [name]: '/data' }, signal })
    let digest: string
    let first: string
    {
      await using writer = await open('writer')
      first = writer.uid
      digest = await writer.sh(
        'head -c 262144 /dev/urandom > /data/bytes && sync && sha256sum < /data/bytes',
        signal,
      )
    }
    const bound = await kube.waitFor(claimRef(name, space.name), pvcBound, { timeoutMs: 10_000, signal })
    const volume = (bound?.['spec'] as ClaimSpec).volumeName ?? ''
    {
      await using stack = new AsyncDisposableStack()
      const readers = await Promise.all(['reader', 'second-reader'].map(open))
      for (const reader of readers) stack.use(reader)
      check(new Set([first, ...readers.map(({ uid }) => uid)]).size).toBe(3)
      const [reader, second] = readers
      check(await reader?.sh('sha256sum < /data/bytes', signal)).toBe(digest)
      await second?.sh('echo both > /data/shared', signal)
      check(await reader?.sh('cat /data/shared', signal)).toBe('both\n')
    }
    check(await kube.get(volumeRef(volume), signal)).toMatchObject({
      spec: { persistentVolumeReclaimPolicy: 'Delete' },
    })
    const since = performance.now()
    await kube.delete(claimRef(name, space.name), { signal, wait: true })
    await kube.waitFor(volumeRef(volume), absent, { timeoutMs: 60_000, signal })
    recordOf(task.meta).facts.push(
      { name: 'before a pod', value: pending },
      {
        name: 'volume',
        value: `${volume}, gone ${String(Math.round(performance.now() - since))} ms after its claim`,
      },
    )
  })

  it('that is bound to a copy of SLATE’s workspace volume leaves it behind, and its twin that is not to be kept goes', async ({
    task,
    signal,
  }) => {
    requireCanary('storage')
    const { kube, runId } = cluster
    const [stated] = Object.values(volumes)
    if (!stated) throw new CheckBroke('The contract states no volume.')
    const objects = await slateObjects(cluster, signal)
    await using stack = new AsyncDisposableStack()
    const space = stack.use(await createNamespace({ kube, runId, purpose: 'kept', signal }))
    const suffix = `${runId}-${randomBytes(2).toString('hex')}`
    /** No pod mounts it, so that nothing is made on the node. */
    const pair = (name: string, policy?: string): [volume: KubeObject, claim: KubeObject] => {
      const volume = objectNamed(objects, `PersistentVolume/${stated.name}`)
      const spec = volume['spec'] as VolumeSpec & { hostPath: { path: string } }
      volume.metadata = {
        name: `e2e-${name}-${suffix}`,
        labels: { ...volume.metadata.labels, 'io.local-cloud.e2e-run': runId },
      }
      spec.hostPath.path = `/var/lib/slate/e2e-${name}-${suffix}`
      if (policy !== undefined) spec.persistentVolumeReclaimPolicy = policy
      return [
        volume,
        claimOf(space.name, name, {
          storageClassName: '',
          volumeName: volume.metadata.name,
          resources: { requests: { storage: spec.capacity.storage } },
        }),
      ]
    }
    const kept = pair('kept')
    const gone = pair('gone', 'Delete')
    const names = [kept, gone].map(([volume]) => volume.metadata.name)
    stack.defer(async () => {
      await Promise.all(
        names.map((name) =>
          kube.delete(volumeRef(name), { signal: AbortSignal.timeout(30_000), wait: true }),
        ),
      )
    })
    await kube.apply([...kept, ...gone], { signal, dryRun: 'skip' })
    await Promise.all(
      ['kept', 'gone'].map((name) =>
        kube.waitFor(claimRef(name, space.name), pvcBound, { timeoutMs: 30_000, signal }),
      ),
    )
    await Promise.all(
      ['kept', 'gone'].map((name) => kube.delete(claimRef(name, space.name), { signal, wait: true })),
    )
    const phase = (index: number, wanted: RegExp) => async (stop: AbortSignal) => {
      const volume = await kube.get(volumeRef(names[index] ?? ''), stop)
      const seen = volume ? String((volume['status'] as { phase?: string }).phase) : 'gone'
      return { ok: wanted.test(seen), seen }
    }
    await eventually('the volume to be kept has lost its claim', phase(0, /^(Released|Failed|gone)$/), {
      timeoutMs: 30_000,
      intervalMs: 500,
      signal,
    })
    // Nobody deletes a folder of the node by itself: where the policy says Delete, Kubernetes tries, and says that it failed.
    await assertNegative(recordOf(task.meta), {
      negative: { title: 'the volume to be kept is released and stays', run: phase(0, /^Released$/) },
      control: {
        title: 'its twin to be deleted is deleted, or Kubernetes failed to',
        run: phase(1, /^(gone|Failed)$/),
      },
      settle: { timeoutMs: 30_000, intervalMs: 500, signal },
      hold: { timeoutMs: 4_000, intervalMs: 500, signal },
    })
  })

  it('of the workflow manager: a task that was acknowledged outlives the pod', async ({
    task,
    signal,
    expect: check,
  }) => {
    requireCanary('storage')
    const { kube, runId } = cluster
    await using space = await createNamespace({ kube, runId, purpose: 'tasks', signal })
    const copy = await startCopy(kube, {
      objects: await slateObjects(cluster, signal),
      deployment: 'slate-workflow-manager',
      namespace: space.name,
      runId,
      signal,
      keepClaims: ['slate-data-pvc'],
      change: startsSoon,
    })
    const row = contract.deployments.find(({ name }) => name === 'slate-workflow-manager')
    const port = row?.ports[0] ?? 0
    const title = `e2e ${runId}`
    const [before] = await podsOfCopy(cluster, copy, signal)
    if (!before) throw new CheckBroke('The copy has no pod.')
    const made = await requestPod(
      cluster,
      { namespace: space.name, name: before.name },
      port,
      '/api/workflow/tasks',
      signal,
      { title },
    )
    if (made.kind !== 'answered' || made.status !== 201)
      throw new CheckBroke(`The task was not taken: ${JSON.stringify(made)}`)
    const { id } = (JSON.parse(made.body) as { task: { id: string } }).task
    await kube.delete(
      { apiVersion: 'v1', kind: 'Pod', namespace: space.name, name: before.name },
      { signal, wait: true },
    )
    let after = before
    let found: HttpOutcome | undefined
    await eventually(
      'another pod has the task',
      async (stop) => {
        const pods = await podsOfCopy(cluster, copy, stop)
        const next = pods.find(({ uid, ready }) => ready && uid !== before.uid)
        if (!next)
          return { ok: false, seen: `no other pod is ready: ${pods.map(({ name }) => name).join(', ')}` }
        after = next
        const pod = { namespace: space.name, name: next.name }
        found = await requestPod(cluster, pod, port, `/api/workflow/tasks/${id}`, stop)
        return { ok: found.kind === 'answered', seen: describeHttp(found) }
      },
      { timeoutMs: 120_000, intervalMs: 500, signal },
    )
    check(found).toMatchObject({ kind: 'answered', status: 200 })
    check(found?.kind === 'answered' && JSON.parse(found.body)).toMatchObject({
      pod: after.name,
      task: { id, title },
    })
    recordOf(task.meta).facts.push(
      { name: 'pods', value: `${before.uid}, ${after.uid}` },
      { name: 'the copy differs', value: copy.differs },
    )
  })
})
