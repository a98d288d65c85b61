import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { rendered } from '../../manifests/checks/rendered.ts'
import { mutate } from './changed.ts'
import { serviceMutations } from './services.ts'
import { storageAndConfigMutations } from './storage-and-config.ts'
import { workloadMutations } from './workloads.ts'
import { zonesMutations } from './zones.ts'

describe('changes to workloads, Services and configuration', () => {
  let objects: KubeObject[]
  beforeAll(async () => {
    objects = await rendered('overlays/slate/local')
  })

  it.each([...workloadMutations, ...serviceMutations, ...storageAndConfigMutations])(
    '$name changes its object and no other',
    (mutation) => {
      const before = structuredClone(objects)
      const after = mutate(objects, mutation)
      const idOf = ({ kind, metadata }: KubeObject): string => `${kind}/${metadata.name}`
      const others = (all: readonly KubeObject[]) => all.filter((one) => idOf(one) !== mutation.object)
      expect(after).not.toEqual(before)
      expect(others(after)).toEqual(others(before))
      expect(objects).toEqual(before)
    },
  )
})

describe('changes to the zones', () => {
  it.each(zonesMutations)('$name changes its object and no other', async (mutation) => {
    const objects = await rendered('overlays/zones/local')
    const before = structuredClone(objects)
    const after = mutate(objects, mutation)
    const idOf = ({ kind, metadata }: KubeObject): string => `${kind}/${metadata.name}`
    const others = (all: readonly KubeObject[]) => all.filter((one) => idOf(one) !== mutation.object)
    expect(after).not.toEqual(before)
    expect(others(after)).toEqual(others(before))
  })
})
