import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { readContract } from './contract.ts'
import { at, idOf, listAt, podSpecOf, textAt } from './manifest.ts'
import { rendered } from './rendered.ts'

const { deployments, environments } = readContract()

/** The objects without the fields that `docs/systems/slate.md` lists as the differences of the overlay. */
function withoutDifferences(manifests: readonly KubeObject[]): Map<string, KubeObject> {
  const stripped = structuredClone(manifests) as KubeObject[]
  for (const manifest of stripped) {
    const pod = podSpecOf(manifest)
    if (pod === undefined) continue
    for (const container of listAt(pod, 'containers') as Record<string, unknown>[]) {
      for (const field of ['image', 'imagePullPolicy', 'resources']) Reflect.deleteProperty(container, field)
    }
    Reflect.deleteProperty(pod as object, 'nodeSelector')
  }
  return new Map(stripped.map((manifest) => [idOf(manifest), manifest]))
}

it('differs from the base only in images, pull policy, resources and node selector', async () => {
  const [base, local] = await Promise.all([
    rendered(environments.base.render),
    rendered(environments.local.render),
  ])
  expect(withoutDifferences(local)).toEqual(withoutDifferences(base))
})

it('leaves the images that are not SLATE’s own as they are', async () => {
  const foreign = (manifests: readonly KubeObject[]) =>
    manifests
      .filter(({ kind }) => kind === 'Deployment')
      .map((manifest) => at(podSpecOf(manifest), 'containers', 0, 'image'))
      .filter((image) => image !== environments.base.image && image !== environments.local.image)
  const [base, local] = await Promise.all([
    rendered(environments.base.render),
    rendered(environments.local.render),
  ])
  expect(foreign(local)).toEqual(foreign(base))
  expect(foreign(local)).toHaveLength(2)
})

it('is described with its requests and limits', async () => {
  const page = readFileSync(new URL('../../docs/systems/slate.md', import.meta.url), 'utf8')
  const described = page
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter((cells) => cells.length === 8)
    .map((cells) => cells.slice(1, -1))
  const [base, local] = await Promise.all([
    rendered(environments.base.render),
    rendered(environments.local.render),
  ])
  const amounts = (manifests: readonly KubeObject[], name: string, kind: string) => {
    const deployment = manifests.find((manifest) => idOf(manifest) === `Deployment/${name}`)
    const seen = at(podSpecOf(deployment as KubeObject), 'containers', 0, 'resources', kind)
    const gpu = textAt(seen, 'nvidia.com/gpu')
    return [textAt(seen, 'cpu'), textAt(seen, 'memory'), ...(gpu === '' ? [] : [`GPU ${gpu}`])].join(', ')
  }
  for (const { name, replicas } of deployments) {
    expect(described).toContainEqual([
      name,
      String(replicas),
      ...[base, local].flatMap((manifests) =>
        ['requests', 'limits'].map((kind) => amounts(manifests, name, kind)),
      ),
    ])
  }
})
