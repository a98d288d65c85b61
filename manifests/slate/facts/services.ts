import type { Contract } from '../contract.ts'
import { at, listAt } from '../../checks/manifest.ts'
import type { Fact } from '../../checks/fact.ts'

/** Type, ports and selector of every Service. */
export function serviceFacts({ services }: Contract): Fact[] {
  return services.rows.flatMap((row): Fact[] => {
    const place = { section: services.section, object: `Service/${row.name}` }
    return [
      {
        ...place,
        fact: 'service type',
        expected: services.type,
        see: (manifest) => at(manifest, 'spec', 'type'),
      },
      {
        ...place,
        fact: 'service ports',
        expected: row.ports,
        see: (manifest) => listAt(manifest, 'spec', 'ports').map((port) => at(port, 'port')),
      },
      {
        ...place,
        fact: 'service selector',
        expected: row.selector,
        see: (manifest) => at(manifest, 'spec', 'selector'),
      },
    ]
  })
}
