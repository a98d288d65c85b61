import {
  assertNegative,
  attach,
  choiceFromEnvironment,
  createNamespace,
  probePort,
  recordOf,
  startProbePod,
  type Check,
  type Cluster,
  type ProbePod,
} from 'local-cloud/harness'
import { beforeAll, expect, it } from 'vitest'

/*
 * A system that local-cloud knows nothing about: a shop whose till may be reached by the counter, and by nobody else.
 */

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
})

const role = (name: string) => ({ 'shop.example/role': name })

it('only the counter reaches the till', async ({ task, signal }) => {
  const { kube, runId } = cluster
  await using shop = await createNamespace({ kube, runId, purpose: 'shop', signal })
  const start = (name: string) =>
    startProbePod({ kube, runId, namespace: shop.name, name, labels: role(name), signal })
  const [till, counter, visitor] = await Promise.all([start('till'), start('counter'), start('visitor')])

  const policy = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'till', namespace: shop.name },
    spec: {
      podSelector: { matchLabels: role('till') },
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [{ podSelector: { matchLabels: role('counter') } }],
          ports: [{ port: probePort, protocol: 'TCP' }],
        },
      ],
    },
  }
  const connects = (from: ProbePod, wanted: 'connected' | 'timeout'): Check => ({
    title: `${from.name} to the till: ${wanted}`,
    run: async (stop) => {
      const { kind, detail } = await from.connect(till.ip, probePort, { timeoutSeconds: 2, signal: stop })
      return { ok: kind === wanted, seen: `${kind}: ${detail}` }
    },
  })

  const proof = await assertNegative(recordOf(task.meta), {
    negative: connects(visitor, 'timeout'),
    control: connects(visitor, 'connected'),
    beside: connects(counter, 'connected'),
    cause: {
      title: 'NetworkPolicy till applied',
      apply: async () => {
        await kube.apply([policy], { signal })
      },
      remove: async () => {
        const { apiVersion, kind, metadata } = policy
        await kube.delete({ apiVersion, kind, ...metadata }, { signal, wait: true })
      },
    },
    settle: { timeoutMs: 30_000, intervalMs: 500, signal },
    hold: { timeoutMs: 6_000, intervalMs: 500, signal },
  })
  // Timers fire up to a millisecond early.
  expect(proof.heldMs).toBeGreaterThanOrEqual(5_990)
})
