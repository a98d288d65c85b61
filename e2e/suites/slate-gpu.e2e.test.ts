import { beforeAll, describe, it } from 'vitest'
import { gpuHolders } from '../../bootstrap/gpu/gpu-holders.ts'
import { gpuResource } from '../../bootstrap/plan/gpu-plan.ts'
import { readContract, withGpus } from '../../manifests/slate/contract.ts'
import { deploymentFacts } from '../../manifests/slate/facts/deployments.ts'
import { at } from '../../manifests/checks/manifest.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import { gpuOffer } from '../harness/gpu-node.ts'
import { expectLiveFacts, factsCalled } from '../harness/live-facts.ts'
import { recordOf } from '../harness/record.ts'
import { requireSlate } from '../harness/slate.ts'

/*
 * SLATE's own GPUs: Ollama's and the autonomous loop's on a cluster that has some, and nobody's on one that has none, where Ollama
 * computes on the CPU.
 */
let cluster: Cluster
let given: boolean
const contract = readContract()
const namespace = contract.namespace.name

beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireSlate(cluster)
  given = cluster.record?.plan.systems.some(({ choices }) => choices?.['gpu'] === 'on') ?? false
})

describe('the Deployments', () => {
  it('ask for the GPUs that they are to have, on the node that has them', async ({ task, signal }) => {
    const stated = given ? withGpus(contract) : contract
    const facts = factsCalled(deploymentFacts(stated, 'local', []), ['GPU', 'node selector'])
    await expectLiveFacts(cluster, namespace, facts, signal)
    recordOf(task.meta).facts.push({
      name: 'with a GPU',
      value: Object.keys(stated.environments.local.gpu).join(', ') || 'nobody: Ollama computes on the CPU',
    })
  })
})

describe('the pods', () => {
  it('have a healthy GPU each, not the same one, and the quota counts them', async ({ task, signal }) => {
    const { tier } = await gpuOffer(cluster.kube, signal)
    const asking = Object.keys(contract.options.gpu.gpu)
    const seen = await eventually(
      'every pod that asks for a GPU has it',
      async (stop) => {
        const pods = await cluster.kube.list({ apiVersion: 'v1', kind: 'Pod', namespace }, stop)
        const holders = gpuHolders(pods)
        const words = holders.map(
          ({ name, gpus, given: ids }) => `${name}: ${ids.join(', ') || 'none'} of ${String(gpus)}`,
        )
        const each = asking.every((name) =>
          holders.some((one) => one.name.startsWith(`${name}-`) && one.given.length === one.gpus),
        )
        const ids = holders.flatMap(({ given: own }) => own)
        return { ok: each && new Set(ids).size === ids.length, seen: words.join('; ') }
      },
      { timeoutMs: 30_000, intervalMs: 500, signal },
    )
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', namespace, name: contract.quota.name }
    await eventually(
      'the quota counts them',
      async (stop) => {
        const found = await cluster.kube.get(quota, stop)
        const used = at(found, 'status', 'used', `requests.${gpuResource}`)
        return { ok: used === String(asking.length), seen: `used: ${String(used)}` }
      },
      { timeoutMs: 60_000, intervalMs: 500, signal },
    )
    recordOf(task.meta).facts.push({ name: 'tier', value: tier }, { name: 'pods', value: seen })
  })
})
