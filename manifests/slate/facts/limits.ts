import type { KubeObject } from '../../../bootstrap/kube/client.ts'
import type { Contract, EnvironmentName } from '../contract.ts'
import { at, containersOf, idOf, listAt, pick, textAt } from '../../checks/manifest.ts'
import { bytes, millicores } from '../quantity.ts'
import type { Fact } from '../../checks/fact.ts'
import { usageOf } from './usage.ts'

/** Quota, limit range and priority classes, and that every pod passes the first two. */
export function limitFacts(
  contract: Contract,
  environment: EnvironmentName,
  manifests: readonly KubeObject[],
): Fact[] {
  const { quota, limitRange, priorityClasses } = contract
  const workloads = manifests.filter((manifest) => containersOf(manifest).length > 0)
  return [
    {
      fact: 'resource quota',
      section: quota.section,
      object: `ResourceQuota/${quota.name}`,
      expected: { hard: quota.hard },
      see: (manifest) => at(manifest, 'spec'),
    },
    {
      fact: 'limit range',
      section: limitRange.section,
      object: `LimitRange/${limitRange.name}`,
      expected: [{ type: 'Container', ...pick(limitRange, ['default', 'defaultRequest', 'max', 'min']) }],
      see: (manifest) => listAt(manifest, 'spec', 'limits'),
    },
    ...priorityClasses.rows.map(({ name, ...row }): Fact => ({
      fact: 'priority class',
      section: priorityClasses.section,
      object: `PriorityClass/${name}`,
      expected: { ...row, globalDefault: priorityClasses.globalDefault },
      see: (manifest) => pick(manifest, ['value', 'description', 'globalDefault']),
    })),
    ...workloads.map((manifest): Fact => ({
      fact: 'container limits',
      section: limitRange.section,
      object: idOf(manifest),
      expected: [],
      see: (seen) =>
        containersOf(seen)
          .map((container) => at(container, 'resources'))
          .filter((resources) => !isWithin(resources, limitRange)),
    })),
    ...scenarios(contract).map(({ name, pods }): Fact => ({
      fact: 'quota admits',
      section: quota.section,
      object: 'all',
      expected: { when: name, exceeded: [] },
      seeAll: (all) => ({ when: name, exceeded: exceeded(quota.hard, all, pods) }),
    })),
    ...mostRequestedFacts(contract, environment),
  ]
}

/** How many pods an object has at one moment. */
type PodCount = (manifest: KubeObject) => number

/** The autoscalers reach their maxima one at a time: together they are more pods than the quota has (A02). */
function scenarios({ autoscalers }: Contract): { name: string; pods: PodCount }[] {
  const jobs = (manifest: KubeObject) => (['CronJob', 'Job'].includes(manifest.kind) ? 1 : 0)
  const surge = (manifest: KubeObject) =>
    Number(at(manifest, 'spec', 'strategy', 'rollingUpdate', 'maxSurge') ?? 0)
  return [
    { name: 'every job runs at once', pods: (manifest) => replicasOf(manifest) + jobs(manifest) },
    {
      name: 'every Deployment is updated at once',
      pods: (manifest) => replicasOf(manifest) + surge(manifest),
    },
    ...autoscalers.map(({ name, target, max }) => ({
      name: `${name} is at its maximum`,
      pods: (manifest: KubeObject) =>
        idOf(manifest) === `Deployment/${target}` ? max : replicasOf(manifest),
    })),
  ]
}

function replicasOf(manifest: KubeObject): number {
  return manifest.kind === 'Deployment' ? Number(at(manifest, 'spec', 'replicas') ?? 1) : 0
}

function exceeded(
  hard: Readonly<Record<string, string>>,
  manifests: readonly KubeObject[],
  pods: PodCount,
): string[] {
  return Object.entries(hard).flatMap(([name, limit]) => {
    const used = manifests.reduce((sum, manifest) => sum + pods(manifest) * usageOf(manifest, name), 0)
    return used <= quantityOf(name, limit) ? [] : [`${name}: ${used} of ${limit}`]
  })
}

function quantityOf(name: string, quantity: string): number {
  if (name.endsWith('cpu')) return millicores(quantity)
  return name.endsWith('memory') ? bytes(quantity) : Number(quantity)
}

function mostRequestedFacts(contract: Contract, environment: EnvironmentName): Fact[] {
  const { mostRequested, section } = contract.environments[environment]
  if (mostRequested === undefined) return []
  const hard = { 'requests.cpu': mostRequested.cpu, 'requests.memory': mostRequested.memory }
  return [
    {
      fact: 'sum of requests',
      section,
      object: 'all',
      expected: [],
      seeAll: (manifests) => exceeded(hard, manifests, replicasOf),
    },
  ]
}

function isWithin(resources: unknown, { min, max }: Contract['limitRange']): boolean {
  const fits = (name: 'cpu' | 'memory', parse: (quantity: string) => number): boolean => {
    const request = textAt(resources, 'requests', name)
    const limit = textAt(resources, 'limits', name)
    if (request === '' || limit === '') return false
    const order = [min[name], request, limit, max[name]].map(parse)
    return order.every((amount, index) => index === 0 || (order[index - 1] ?? 0) <= amount)
  }
  return fits('cpu', millicores) && fits('memory', bytes)
}
