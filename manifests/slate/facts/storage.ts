import type { Contract, EnvironmentName } from '../contract.ts'
import { at } from '../../checks/manifest.ts'
import type { Fact } from '../../checks/fact.ts'

/** Size and access of every claim, and what it is bound to. */
export function storageFacts(contract: Contract, environment: EnvironmentName): Fact[] {
  const { claims } = contract
  const { volumes, section } = contract.environments[environment]
  return [
    ...Object.entries(claims.sizes).flatMap(([name, size]): Fact[] => {
      const object = `PersistentVolumeClaim/${name}`
      const volume = volumes[name]
      return [
        {
          fact: 'claim',
          section: claims.section,
          object,
          expected: { size, accessModes: claims.accessModes },
          see: (manifest) => ({
            size: at(manifest, 'spec', 'resources', 'requests', 'storage'),
            accessModes: at(manifest, 'spec', 'accessModes'),
          }),
        },
        {
          fact: 'volume of a claim',
          section: `ADR 0007, ${section}`,
          object,
          expected: { storageClassName: volume?.spec['storageClassName'], volumeName: volume?.name },
          see: (manifest) => ({
            storageClassName: at(manifest, 'spec', 'storageClassName'),
            volumeName: at(manifest, 'spec', 'volumeName'),
          }),
        },
      ]
    }),
    ...Object.values(volumes).map(({ name, spec }): Fact => ({
      fact: 'volume',
      section,
      object: `PersistentVolume/${name}`,
      expected: spec,
      see: (manifest) => at(manifest, 'spec'),
    })),
  ]
}
