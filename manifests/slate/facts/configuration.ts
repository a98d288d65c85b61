import type { Contract, EnvironmentName } from '../contract.ts'
import { at, pick } from '../../checks/manifest.ts'
import type { Fact } from '../../checks/fact.ts'

/** Keys and stated values of the ConfigMaps, and the Secrets where the environment renders them. */
export function configurationFacts(contract: Contract, environment: EnvironmentName): Fact[] {
  const { configMaps } = contract
  const secrets = contract.environments[environment].secrets === 'placeholder' ? contract.secrets : []
  return [
    ...configMaps.flatMap((row): Fact[] => [
      {
        fact: 'ConfigMap keys',
        section: row.section,
        object: `ConfigMap/${row.name}`,
        expected: row.keys.toSorted(),
        see: (manifest) => Object.keys(at(manifest, 'data') ?? {}).sort(),
      },
      {
        fact: 'ConfigMap values',
        section: row.section,
        object: `ConfigMap/${row.name}`,
        expected: row.values ?? {},
        see: (manifest) => pick(at(manifest, 'data'), Object.keys(row.values ?? {})),
      },
    ]),
    ...secrets.map((row): Fact => ({
      fact: 'Secret placeholder',
      section: row.section,
      object: `Secret/${row.name}`,
      expected: Object.fromEntries(row.keys.map((key) => [key, row.placeholder])),
      see: (manifest) =>
        Object.fromEntries(
          Object.entries((at(manifest, 'data') ?? {}) as Record<string, string>).map(([key, value]) => [
            key,
            Buffer.from(value, 'base64').toString('utf8'),
          ]),
        ),
    })),
  ]
}
