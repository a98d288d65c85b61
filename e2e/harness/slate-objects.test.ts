import path from 'node:path'
import { expect, it } from 'vitest'
import { resolvePaths } from '../../bootstrap/state/paths.ts'
import type { Cluster } from './cluster.ts'
import { objectNamed, systemAsUpHasIt } from './slate-objects.ts'

const repo = path.resolve(import.meta.dirname, '..', '..')
const paths = resolvePaths(repo, {}, process.env, repo)

const limitsOfTheLoop = async (systems: object[]): Promise<string> => {
  const cluster = { paths, record: { plan: { nodes: [], systems } } } as unknown as Cluster
  const objects = await systemAsUpHasIt(cluster, 'slate', AbortSignal.timeout(30_000))
  return JSON.stringify(objectNamed(objects, 'Deployment/slate-autonomous-loop')['spec'])
}

it('has the options with which up put SLATE there', async () => {
  const slate = { name: 'slate', environment: 'local' }
  expect(await limitsOfTheLoop([{ ...slate, choices: { gpu: 'on' } }])).toContain('"nvidia.com/gpu":"1"')
  expect(await limitsOfTheLoop([slate])).not.toContain('nvidia.com/gpu')
})

it('says so where SLATE is not', async () => {
  await expect(limitsOfTheLoop([])).rejects.toMatchObject({ name: 'CheckBroke' })
})
