import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { readContract, type DeploymentRow } from '../../manifests/slate/contract.ts'
import { at, listAt, textAt } from '../../manifests/checks/manifest.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { consistently } from '../harness/consistently.ts'
import { eventually } from '../harness/eventually.ts'
import { describeHttp } from '../harness/http-client.ts'
import type { Look } from '../harness/look.ts'
import { createNamespace } from '../harness/namespace.ts'
import { takesItsTime } from '../harness/profile.ts'
import { recordOf } from '../harness/record.ts'
import { requireSlate } from '../harness/slate.ts'
import { expectFacts } from '../harness/slate-facts.ts'
import { slateObjects } from '../harness/slate-objects.ts'
import { evaluateIn, readyPodOf, requestPod, sha256, type PodOfSlate } from '../harness/slate-pods.ts'
import { CheckBroke } from '../harness/verdict.ts'
import { podsOfCopy } from '../harness/web-copy.ts'
import { startCopy, startsSoon } from '../harness/workload-copy.ts'

/*
 * ConfigMaps and Secrets of SLATE, what of them really is in its containers, and when a change of them arrives (000 Configuration
 * Management, ADR 0010). A Secret is compared by its hash: its value shows up nowhere.
 */
const contract = readContract()
const namespace = contract.namespace.name
const own = contract.deployments.filter(({ entrypoint }) => entrypoint !== undefined)

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireSlate(cluster)
})

const live = (
  kind: 'ConfigMap' | 'Secret',
  name: string,
  signal: AbortSignal,
): Promise<KubeObject | undefined> => cluster.kube.get({ apiVersion: 'v1', kind, namespace, name }, signal)

const dataOf = (object: KubeObject | undefined): Record<string, string> =>
  (object?.['data'] ?? {}) as Record<string, string>

describe('objects', () => {
  it('the service accounts are those of the table, and the one that Kubernetes makes', async ({ signal }) => {
    const accounts = await cluster.kube.list({ apiVersion: 'v1', kind: 'ServiceAccount', namespace }, signal)
    expect(accounts.map(({ metadata }) => metadata.name).sort()).toEqual(
      [...contract.serviceAccounts.names, 'default'].sort(),
    )
  })

  it.each(contract.configMaps)('ConfigMap $name has the stated keys and values', async ({ name }) => {
    const facts = ['ConfigMap keys', 'ConfigMap values']
    await expectFacts(cluster, `ConfigMap/${name}`, facts, AbortSignal.timeout(20_000))
  })

  it.each(contract.secrets)(
    'Secret $name has the stated keys, and each has a value',
    async ({ name, keys }) => {
      const data = dataOf(await live('Secret', name, AbortSignal.timeout(20_000)))
      expect(Object.keys(data).sort()).toEqual(keys.toSorted())
      for (const key of keys) expect((data[key] ?? '').length, key).toBeGreaterThan(0)
    },
  )
})

/** Variable → key of which Secret it is, in the main container of a pod. */
function secretVariables({ object }: PodOfSlate): Map<string, { secret: string; key: string }> {
  return new Map(
    listAt(object, 'spec', 'containers', 0, 'env').flatMap(
      (variable): [string, { secret: string; key: string }][] => {
        const from = at(variable, 'valueFrom', 'secretKeyRef')
        return from === undefined
          ? []
          : [[textAt(variable, 'name'), { secret: textAt(from, 'name'), key: textAt(from, 'key') }]]
      },
    ),
  )
}

const fieldOf = (pod: PodOfSlate, path: string): string => textAt(pod.object, ...path.split('.'))

describe('in the containers', () => {
  it.each(own)('$name has the addresses of the stores and who it is in its environment', async (row) => {
    const signal = AbortSignal.timeout(30_000)
    const pod = await readyPodOf(cluster, row, signal)
    const { addresses, identity } = contract
    const stated = contract.configMaps.find(({ name }) => name === addresses.configMap)?.values ?? {}
    const wanted = {
      ...Object.fromEntries(addresses.variables.map((name) => [name, stated[name]])),
      ...Object.fromEntries(
        Object.entries(identity.fields).map(([name, path]) => [name, fieldOf(pod, path)]),
      ),
    }
    const seen = await evaluateIn<Record<string, string>>(
      cluster,
      pod,
      'Object.fromEntries(input.map((name) => [name, process.env[name]]))',
      Object.keys(wanted),
      signal,
    )
    expect(seen).toEqual(wanted)
    await expectFacts(
      cluster,
      `Deployment/${row.name}`,
      ['addresses of the stores', 'identity of the pod'],
      signal,
    )
  })

  it.each(own.filter(({ secrets }) => Object.keys(secrets).length > 0))(
    '$name has what its Secret holds in its environment, and only that Secret',
    async (row) => {
      const signal = AbortSignal.timeout(30_000)
      await expectFacts(cluster, `Deployment/${row.name}`, ['Secrets read'], signal)
      const pod = await readyPodOf(cluster, row, signal)
      const variables = secretVariables(pod)
      expect(Object.fromEntries([...variables.values()].map(({ secret, key }) => [secret, key]))).toEqual(
        row.secrets,
      )
      const seen = await evaluateIn<Record<string, string>>(
        cluster,
        pod,
        `Object.fromEntries(input.map((name) => [name, require('crypto').createHash('sha256').update(process.env[name] ?? '').digest('hex')]))`,
        [...variables.keys()],
        signal,
      )
      for (const [name, { secret, key }] of variables) {
        const data = dataOf(await live('Secret', secret, signal))
        expect(seen[name], `${name}, by its hash`).toBe(sha256(Buffer.from(data[key] ?? '', 'base64')))
      }
    },
  )

  it.each(own.filter(({ configMaps }) => configMaps.length > 0))(
    '$name has the files of its ConfigMaps, byte for byte',
    async (row: DeploymentRow) => {
      const signal = AbortSignal.timeout(120_000)
      await expectFacts(cluster, `Deployment/${row.name}`, ['ConfigMaps mounted'], signal)
      const pod = await readyPodOf(cluster, row, signal)
      for (const name of row.configMaps) {
        const volume = listAt(pod.object, 'spec', 'volumes').find(
          (one) => at(one, 'configMap', 'name') === name,
        )
        const mount = listAt(pod.object, 'spec', 'containers', 0, 'volumeMounts').find(
          (one) => at(one, 'name') === at(volume, 'name'),
        )
        const data = dataOf(await live('ConfigMap', name, signal))
        const wanted = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, sha256(text)]))
        expect(Object.keys(wanted).sort()).toEqual(
          contract.configMaps.find((one) => one.name === name)?.keys.toSorted(),
        )
        // A file follows its ConfigMap when the kubelet next looks at the pod, which is about once a minute.
        await eventually(
          `the files of ${name}`,
          async (stop) => {
            const seen = await evaluateIn<Record<string, string>>(
              cluster,
              pod,
              `Object.fromEntries(require('fs').readdirSync(input).filter((name) => !name.startsWith('..')).map((name) =>
                [name, require('crypto').createHash('sha256').update(require('fs').readFileSync(input + '/' + name)).digest('hex')]))`,
              textAt(mount, 'mountPath'),
              stop,
            )
            return { ok: isDeepStrictEqual(seen, wanted), seen: JSON.stringify(seen) }
          },
          { timeoutMs: 100_000, intervalMs: 2_000, signal },
        )
      }
    },
  )
})

describe('changes', () => {
  it('of a ConfigMap reach the mounted file and the program without a restart, and a variable with the next start only', async ({
    task,
    signal,
  }) => {
    const { kube, runId } = cluster
    await using space = await createNamespace({ kube, runId, purpose: 'config', signal })
    const copy = await startCopy(kube, {
      objects: await slateObjects(cluster, signal),
      deployment: 'slate-copilot-bridge',
      namespace: space.name,
      runId,
      signal,
      change: startsSoon,
    })
    const row = own.find(({ name }) => name === 'slate-copilot-bridge')
    const port = row?.ports[0] ?? 0
    const variable = contract.addresses.variables[0] ?? ''
    const podNow = async (stop: AbortSignal): Promise<PodOfSlate> => {
      const pods = await podsOfCopy(cluster, copy, stop)
      const [pod] = pods.filter(({ ready }) => ready)
      if (!pod) throw new CheckBroke('No pod of the copy is ready.')
      return pod
    }
    const inPod = (pod: PodOfSlate) => ({ namespace: space.name, name: pod.name })
    /** Ok is every answer of the bridge; what it hands out is what was seen. */
    const rulesOf = async (pod: PodOfSlate, stop: AbortSignal): Promise<Look> => {
      const outcome = await requestPod(cluster, inPod(pod), port, '/api/bridge/rules', stop)
      if (outcome.kind !== 'answered' || outcome.status !== 200)
        return { ok: false, seen: describeHttp(outcome) }
      const { rules, reason } = JSON.parse(outcome.body) as {
        rules: { id: string }[] | null
        reason: string | null
      }
      return { ok: true, seen: rules?.map(({ id }) => id).join(', ') ?? String(reason) }
    }
    const variableOf = (pod: PodOfSlate, stop: AbortSignal) =>
      evaluateIn<string>(cluster, inPod(pod), 'process.env[input] ?? null', variable, stop)

    const before = await podNow(signal)
    const oldRules = await eventually('the bridge hands out rules', (stop) => rulesOf(before, stop), {
      timeoutMs: 60_000,
      intervalMs: 500,
      signal,
    })
    const oldAddress = await variableOf(before, signal)
    const rule = `rule-${randomBytes(3).toString('hex')}`
    const address = `changed-${randomBytes(3).toString('hex')}:11434`
    const change = (name: string, data: Record<string, string>) =>
      kube.patch({ apiVersion: 'v1', kind: 'ConfigMap', namespace: space.name, name }, { data }, { signal })
    await Promise.all([
      change('slate-instructions', {
        'copilot-rules.yaml': `rules:\n  - id: ${rule}\n    text: Changed by a test.\n`,
      }),
      change(contract.addresses.configMap, { [variable]: address }),
    ])
    const since = performance.now()
    // The kubelet looks at a pod again when it changes; by itself it does so about once a minute.
    if (!takesItsTime()) {
      await kube.patch(
        { apiVersion: 'v1', kind: 'Pod', namespace: space.name, name: before.name },
        { metadata: { annotations: { 'io.local-cloud.e2e-touched': rule } } },
        { signal },
      )
    }
    await eventually(
      'the bridge hands out the new rule',
      async (stop) => {
        const { ok, seen } = await rulesOf(before, stop)
        return { ok: ok && seen === rule, seen }
      },
      { timeoutMs: 120_000, intervalMs: 500, signal },
    )
    const arrivedMs = Math.round(performance.now() - since)
    const kept = await podNow(signal)
    expect([kept.uid, kept.restarts]).toEqual([before.uid, 0])
    const heldMs = 10_000
    await consistently(
      'the variable of the running program stays',
      async (stop) => {
        const seen = await variableOf(before, stop)
        return { ok: seen === oldAddress, seen }
      },
      { timeoutMs: heldMs, intervalMs: 1_000, signal },
    )
    // The control: the same change is there after a start, so that it had been made.
    await kube.delete({ apiVersion: 'v1', kind: 'Pod', ...inPod(before) }, { signal, wait: true })
    const after = await eventually(
      'a new pod has the new variable',
      async (stop) => {
        const pods = await podsOfCopy(cluster, copy, stop)
        const [pod] = pods.filter(({ ready }) => ready)
        if (!pod || pod.uid === before.uid) return { ok: false, seen: 'no new pod is ready' }
        const seen = await variableOf(pod, stop)
        return { ok: seen === address, seen }
      },
      { timeoutMs: 60_000, intervalMs: 500, signal },
    )
    const record = recordOf(task.meta)
    record.controls.push({
      negative: { title: 'a variable does not change in a running container', seen: oldAddress },
      heldMs,
      before: { title: 'the file of the same pod did', seen: `${oldRules} → ${rule}` },
      after: { title: 'a new pod has the new variable', seen: after },
    })
    record.facts.push(
      {
        name: 'the file changed after',
        value: `${String(arrivedMs)} ms${takesItsTime() ? '' : ', the pod was touched'}`,
      },
      { name: 'the copy differs', value: copy.differs },
    )
  })
})
