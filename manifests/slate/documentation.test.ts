import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { type NetworkPolicyRow, readContract } from './contract.ts'
import { documentedTable } from '../checks/documented-table.ts'
import { inventoryOf } from './facts/inventory.ts'
import { usageOf } from './facts/usage.ts'
import { at, containersOf, idOf, mainContainerOf, textAt } from '../checks/manifest.ts'
import { rendered } from '../checks/rendered.ts'

const contract = readContract()

describe('the page of SLATE', () => {
  it('lists every object of the base', () => {
    const listed = documentedTable('slate', 'kind', 'names').flatMap(({ kind = '', names = '' }) =>
      names.split(', ').map((name) => `${kind}/${name}`),
    )
    expect(listed.sort()).toEqual(inventoryOf(contract, 'base'))
  })

  it('tells the schedule, deadline and account of every CronJob', () => {
    const listed = documentedTable('slate', 'CronJob', 'schedule', 'at most', 'account', 'what it does')
    expect(listed.map((line) => Object.values(line).slice(0, 4))).toEqual(
      contract.cronJobs.map((row) => [
        row.name,
        `\`${row.schedule}\``,
        `${row.activeDeadlineSeconds} s`,
        row.serviceAccount,
      ]),
    )
  })

  it('tells what every policy lets through', () => {
    expect(documentedTable('slate', 'policy', 'pods', 'in', 'out')).toEqual(
      contract.networkPolicies.map((row) => ({
        policy: row.name,
        pods: podsOf(row),
        in: row.types.includes('Ingress') ? rulesOf(row.ingress, 'from') : '',
        out: row.types.includes('Egress') ? rulesOf(row.egress, 'to') : '',
      })),
    )
  })
})

describe('the table of requests and limits', () => {
  const columns = ['container', 'pods', 'base request', 'base limit', 'local request', 'local limit']
  const { base, local } = contract.environments
  let sides: KubeObject[][]
  beforeAll(async () => {
    sides = await Promise.all([base, local].map(({ render }) => rendered(render)))
  }, 30_000)

  const lines = () => documentedTable('slate', ...columns).map((line) => Object.values(line))
  const amounts = (container: unknown) =>
    ['requests', 'limits'].map((side) => {
      const seen = at(container, 'resources', side)
      const gpu = textAt(seen, 'nvidia.com/gpu')
      return [textAt(seen, 'cpu'), textAt(seen, 'memory'), ...(gpu === '' ? [] : [`GPU ${gpu}`])].join(', ')
    })
  const find = (manifests: readonly KubeObject[], id: string) => {
    const found = manifests.find((one) => idOf(one) === id)
    if (found === undefined) throw new Error(`${id} is not rendered`)
    return found
  }

  it.each(contract.deployments)('has $name', ({ name, replicas }) => {
    const own = sides.flatMap((side) => amounts(mainContainerOf(find(side, `Deployment/${name}`))))
    expect(lines()).toContainEqual([name, String(replicas), ...own])
  })

  it('has the jobs, which are all alike', () => {
    const ids = [...contract.cronJobs.map(({ name }) => `CronJob/${name}`), `Job/${contract.preload.name}`]
    for (const id of ids) {
      const containers = sides.map((side) => containersOf(find(side, id)))
      for (const index of containers[0]?.keys() ?? []) {
        const own = containers.flatMap((side) => amounts(side[index]))
        expect(lines()).toContainEqual(['each job', 'at its time', ...own])
      }
    }
  })

  it('adds up', () => {
    const sum = (manifests: readonly KubeObject[], key: string) =>
      contract.deployments.reduce(
        (total, { name, replicas }) => total + replicas * usageOf(find(manifests, `Deployment/${name}`), key),
        0,
      )
    const pods = contract.deployments.reduce((total, { replicas }) => total + replicas, 0)
    const requests = sides.map(
      (side) => `${sum(side, 'requests.cpu')}m, ${sum(side, 'requests.memory') / 1024 ** 2}Mi`,
    )
    expect(lines()).toContainEqual(['all Deployments', String(pods), requests[0], '', requests[1], ''])
  })
})

function podsOf({ pods }: NetworkPolicyRow): string {
  const parts = Object.entries(pods).map(
    ([label, values]) => `${label.split('/')[1] ?? ''}: ${values.join(', ')}`,
  )
  return parts.length === 0 ? 'all' : parts.join('; ')
}

function rulesOf(rules: NetworkPolicyRow['ingress'], side: string): string {
  if (rules.length === 0) return 'nothing'
  return rules.map(({ peers, ports }) => `${ports.join(', ')} ${side} ${peers.join('; ')}`).join('<br>')
}
