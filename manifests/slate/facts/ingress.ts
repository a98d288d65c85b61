import type { Contract, EnvironmentName } from '../contract.ts'
import { at, listAt, textAt } from '../../checks/manifest.ts'
import type { Fact } from '../../checks/fact.ts'

/** Class, host, routes in order, and all annotations. */
export function ingressFacts(contract: Contract, environment: EnvironmentName): Fact[] {
  const { ingress } = contract
  const { ingressAnnotations, section } = contract.environments[environment]
  const place = { section: ingress.section, object: `Ingress/${ingress.name}` }
  return [
    {
      ...place,
      fact: 'ingress class and host',
      expected: { className: ingress.className, hosts: [ingress.host] },
      see: (manifest) => ({
        className: at(manifest, 'spec', 'ingressClassName'),
        hosts: listAt(manifest, 'spec', 'rules').map((rule) => at(rule, 'host')),
      }),
    },
    {
      ...place,
      fact: 'ingress routes',
      expected: Object.entries(ingress.routes).map(([path, backend]) => [path, ingress.pathType, backend]),
      see: (manifest) =>
        listAt(manifest, 'spec', 'rules', 0, 'http', 'paths').map((path) => [
          at(path, 'path'),
          at(path, 'pathType'),
          `${textAt(path, 'backend', 'service', 'name')}:${textAt(path, 'backend', 'service', 'port', 'number')}`,
        ]),
    },
    {
      ...place,
      fact: 'ingress annotations',
      section: `${ingress.section}, ${section}`,
      expected: { ...ingress.annotations, ...ingressAnnotations },
      see: (manifest) => manifest.metadata.annotations,
    },
  ]
}
