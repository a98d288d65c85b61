import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import type { Contract, EnvironmentName } from './contract.ts'
import { at, idOf, listAt, podSpecOf, textAt } from './manifest.ts'
import { bytes, millicores } from './quantity.ts'

/** A fact that the rendered objects do not hold. */
export interface Violation {
  /** Which kind of fact: `replicas`, `probes`, `service selector`, … */
  fact: string
  /** Where the specification states it. */
  section: string
  /** `Kind/name`. */
  object: string
  expected: unknown
  seen: unknown
}

interface Fact {
  fact: string
  section: string
  object: string
  expected: unknown
  see: (manifest: KubeObject) => unknown
}

/** Compares the rendered objects of an environment with every fact of the contract; an empty list means all hold. */
export function checkContract(
  contract: Contract,
  environment: EnvironmentName,
  manifests: readonly KubeObject[],
): Violation[] {
  const byId = new Map(manifests.map((manifest) => [idOf(manifest), manifest]))
  const facts = [
    ...namespaceFacts(contract),
    ...labelFacts(contract, manifests),
    ...accessFacts(contract),
    ...contract.deployments.flatMap((row) => deploymentFacts(contract, environment, row)),
    ...serviceFacts(contract),
    ...claimFacts(contract),
    ...ingressFacts(contract),
    ...configurationFacts(contract),
  ]
  const violations = facts.flatMap(({ see, ...fact }): Violation[] => {
    const manifest = byId.get(fact.object)
    const seen = manifest === undefined ? 'no such object' : see(manifest)
    return isDeepStrictEqual(seen, fact.expected) ? [] : [{ ...fact, seen }]
  })
  return [
    ...inventoryViolations(contract, manifests),
    ...violations,
    ...resourceViolations(contract, environment, manifests),
  ]
}

function inventoryViolations(contract: Contract, manifests: readonly KubeObject[]): Violation[] {
  const expected = [
    `Namespace/${contract.namespace.name}`,
    `ClusterRole/${contract.emptyClusterRole.name}`,
    `Ingress/${contract.ingress.name}`,
    ...contract.serviceAccounts.names.map((name) => `ServiceAccount/${name}`),
    ...contract.roles.flatMap((role) => [`Role/${role.name}`, `RoleBinding/${role.binding}`]),
    ...contract.deployments.map(({ name }) => `Deployment/${name}`),
    ...contract.services.rows.map(({ name }) => `Service/${name}`),
    ...Object.keys(contract.claims.sizes).map((name) => `PersistentVolumeClaim/${name}`),
    ...contract.configMaps.map(({ name }) => `ConfigMap/${name}`),
    ...contract.secrets.map(({ name }) => `Secret/${name}`),
  ].sort()
  const seen = manifests.map(idOf).sort()
  if (isDeepStrictEqual(seen, expected)) return []
  const missing = expected.filter((id) => !seen.includes(id))
  const extra = seen.filter((id, index) => !expected.includes(id) || seen.indexOf(id) !== index)
  return [
    {
      fact: 'inventory',
      section: '000 Kustomization Base, A30',
      object: 'all',
      expected: { missing: [], extra: [] },
      seen: { missing, extra },
    },
  ]
}

function namespaceFacts({ namespace }: Contract): Fact[] {
  return [
    {
      fact: 'namespace labels',
      section: namespace.section,
      object: `Namespace/${namespace.name}`,
      expected: namespace.labels,
      see: (manifest) => pick(manifest.metadata.labels, Object.keys(namespace.labels)),
    },
  ]
}

const clusterScoped = ['Namespace', 'ClusterRole']

function labelFacts({ commonLabels, namespace }: Contract, manifests: readonly KubeObject[]): Fact[] {
  return manifests.flatMap((manifest): Fact[] => [
    {
      fact: 'common labels',
      section: commonLabels.section,
      object: idOf(manifest),
      expected: commonLabels.labels,
      see: ({ metadata }) => pick(metadata.labels, Object.keys(commonLabels.labels)),
    },
    {
      fact: 'namespace of the object',
      section: namespace.section,
      object: idOf(manifest),
      expected: clusterScoped.includes(manifest.kind) ? undefined : namespace.name,
      see: ({ metadata }) => metadata.namespace,
    },
  ])
}

function accessFacts({ roles, emptyClusterRole, namespace }: Contract): Fact[] {
  return [
    {
      fact: 'empty cluster role',
      section: emptyClusterRole.section,
      object: `ClusterRole/${emptyClusterRole.name}`,
      expected: [],
      see: (manifest) => at(manifest, 'rules'),
    },
    ...roles.flatMap((role): Fact[] => [
      {
        fact: 'role rules',
        section: role.section,
        object: `Role/${role.name}`,
        expected: Object.fromEntries(
          Object.entries(role.verbs).map(([resource, verbs]) => [resource, verbs.toSorted()]),
        ),
        see: grantedVerbs,
      },
      {
        fact: 'role binding',
        section: role.section,
        object: `RoleBinding/${role.binding}`,
        expected: {
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role.name },
          subjects: [{ kind: 'ServiceAccount', name: role.serviceAccount, namespace: namespace.name }],
        },
        see: (manifest) => ({ roleRef: at(manifest, 'roleRef'), subjects: at(manifest, 'subjects') }),
      },
    ]),
  ]
}

/** All rules of a role as one table: `group/resource` → verbs. A rule that names single objects shows up as its own key. */
function grantedVerbs(role: KubeObject): Record<string, string[]> {
  const granted: Record<string, string[]> = {}
  for (const rule of listAt(role, 'rules')) {
    const only = listAt(rule, 'resourceNames')
    for (const group of listAt(rule, 'apiGroups') as string[]) {
      for (const resource of listAt(rule, 'resources') as string[]) {
        const key = `${group === '' ? '' : `${group}/`}${resource}${only.length > 0 ? ` ${only.join()}` : ''}`
        granted[key] = [...new Set([...(granted[key] ?? []), ...(listAt(rule, 'verbs') as string[])])].sort()
      }
    }
  }
  return granted
}

function deploymentFacts(
  contract: Contract,
  environment: EnvironmentName,
  row: Contract['deployments'][number],
): Fact[] {
  const { probes, podSecurity, containerSecurity, topologySpread, scrape, entrypoint, podLabels } = contract
  const asked = contract.environments[environment]
  const object = `Deployment/${row.name}`
  const probe = (name: 'startup' | 'liveness' | 'readiness'): Fact => ({
    fact: `${name} probe`,
    section: `${probes.section}, ${row.section}`,
    object,
    expected: { path: row.healthPath, port: row.ports[0], ...probes[name] },
    see: (manifest) => probeOf(manifest, `${name}Probe`, Object.keys(probes[name])),
  })
  const facts: Fact[] = [
    {
      fact: 'replicas',
      section: row.section,
      object,
      expected: row.replicas,
      see: (manifest) => at(manifest, 'spec', 'replicas'),
    },
    {
      fact: 'pod labels',
      section: podLabels.section,
      object,
      expected: {
        'app.kubernetes.io/name': row.name,
        'app.kubernetes.io/component': row.component,
        'app.kubernetes.io/part-of': podLabels.partOf,
      },
      see: (manifest) => at(manifest, 'spec', 'template', 'metadata', 'labels'),
    },
    {
      fact: 'one container',
      section: row.section,
      object,
      expected: [row.name],
      see: (manifest) => [
        ...listAt(podSpecOf(manifest), 'containers').map((one) => at(one, 'name')),
        ...listAt(podSpecOf(manifest), 'initContainers').map((one) => at(one, 'name')),
      ],
    },
    {
      fact: 'container ports',
      section: row.section,
      object,
      expected: row.ports,
      see: (manifest) => listAt(containerOf(manifest), 'ports').map((port) => at(port, 'containerPort')),
    },
    {
      fact: 'service account',
      section: row.section,
      object,
      expected: row.serviceAccount,
      see: (manifest) => at(podSpecOf(manifest), 'serviceAccountName'),
    },
    probe('startup'),
    probe('liveness'),
    probe('readiness'),
    {
      fact: 'pod security context',
      section: podSecurity.section,
      object,
      expected: podSecurity[row.runsAs],
      see: (manifest) => at(podSpecOf(manifest), 'securityContext'),
    },
    {
      fact: 'container security context',
      section: containerSecurity.section,
      object,
      expected: containerSecurity.context,
      see: (manifest) => at(containerOf(manifest), 'securityContext'),
    },
    {
      fact: 'claims mounted',
      section: row.section,
      object,
      expected: row.claims.toSorted(),
      see: (manifest) => [...claimMounts(manifest).keys()].sort(),
    },
    ...Object.entries(row.claimPaths ?? {}).map(([claim, path]): Fact => ({
      fact: 'mount path of a claim',
      section: row.section,
      object,
      expected: path,
      see: (manifest) => claimMounts(manifest).get(claim),
    })),
    {
      fact: 'ConfigMaps mounted',
      section: row.section,
      object,
      expected: row.configMaps,
      see: (manifest) => {
        const mounted = listAt(podSpecOf(manifest), 'volumes').map((one) => at(one, 'configMap', 'name'))
        return row.configMaps.filter((name) => mounted.includes(name))
      },
    },
    {
      fact: 'topology spread',
      section: topologySpread.section,
      object,
      expected: row.name === topologySpread.deployment ? topologySpread.constraints : undefined,
      see: (manifest) => at(podSpecOf(manifest), 'topologySpreadConstraints'),
    },
    {
      fact: 'scrape annotations',
      section: scrape.section,
      object,
      expected:
        row.scrapePort === undefined
          ? undefined
          : {
              'prometheus.io/scrape': 'true',
              'prometheus.io/port': String(row.scrapePort),
              'prometheus.io/path': scrape.path,
            },
      see: (manifest) => at(manifest, 'spec', 'template', 'metadata', 'annotations'),
    },
    {
      fact: 'GPU',
      section: asked.section,
      object,
      expected: asked.gpu[row.name],
      see: (manifest) => at(containerOf(manifest), 'resources', 'limits', 'nvidia.com/gpu'),
    },
    {
      fact: 'node selector',
      section: asked.section,
      object,
      expected: asked.nodeSelector[row.name],
      see: (manifest) => at(podSpecOf(manifest), 'nodeSelector'),
    },
  ]
  if (row.entrypoint !== undefined) {
    facts.push(
      {
        fact: 'entrypoint',
        section: entrypoint.section,
        object,
        expected: [...entrypoint.command, row.entrypoint],
        see: (manifest) => at(containerOf(manifest), 'command'),
      },
      {
        fact: 'image',
        section: asked.section,
        object,
        expected: { image: asked.image, imagePullPolicy: asked.imagePullPolicy },
        see: (manifest) => ({
          image: at(containerOf(manifest), 'image'),
          imagePullPolicy: at(containerOf(manifest), 'imagePullPolicy'),
        }),
      },
    )
  }
  const resources = asked.resources[row.name]
  if (resources !== undefined) {
    facts.push({
      fact: 'stated resources',
      section: asked.section,
      object,
      expected: resources,
      see: (manifest) => at(containerOf(manifest), 'resources'),
    })
  }
  return facts
}

function serviceFacts({ services }: Contract): Fact[] {
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

function claimFacts({ claims }: Contract): Fact[] {
  return Object.entries(claims.sizes).map(([name, size]) => ({
    fact: 'claim',
    section: claims.section,
    object: `PersistentVolumeClaim/${name}`,
    expected: { size, accessModes: claims.accessModes },
    see: (manifest) => ({
      size: at(manifest, 'spec', 'resources', 'requests', 'storage'),
      accessModes: at(manifest, 'spec', 'accessModes'),
    }),
  }))
}

function ingressFacts({ ingress }: Contract): Fact[] {
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
      expected: ingress.annotations,
      see: (manifest) => manifest.metadata.annotations,
    },
  ]
}

function configurationFacts({ configMaps, secrets }: Contract): Fact[] {
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

function resourceViolations(
  contract: Contract,
  environment: EnvironmentName,
  manifests: readonly KubeObject[],
): Violation[] {
  const { min, max, section } = contract.containerLimits
  const violations: Violation[] = []
  const total = { cpu: 0, memory: 0 }
  for (const manifest of manifests.filter(({ kind }) => kind === 'Deployment')) {
    const replicas = Number(at(manifest, 'spec', 'replicas') ?? 1)
    for (const container of listAt(podSpecOf(manifest), 'containers')) {
      const resources = at(container, 'resources')
      const cpu = amountsOf(resources, 'cpu', millicores)
      const memory = amountsOf(resources, 'memory', bytes)
      const fits =
        within(cpu, millicores(min.cpu), millicores(max.cpu)) &&
        within(memory, bytes(min.memory), bytes(max.memory))
      if (!fits) {
        violations.push({
          fact: 'container limits',
          section,
          object: idOf(manifest),
          expected: { min, max },
          seen: resources,
        })
      }
      total.cpu += replicas * (cpu?.request ?? 0)
      total.memory += replicas * (memory?.request ?? 0)
    }
  }
  const { mostRequested, section: asked } = contract.environments[environment]
  if (mostRequested === undefined) return violations
  const most = { cpu: millicores(mostRequested.cpu), memory: bytes(mostRequested.memory) }
  if (total.cpu <= most.cpu && total.memory <= most.memory) return violations
  return [
    ...violations,
    { fact: 'sum of requests', section: asked, object: 'all', expected: most, seen: total },
  ]
}

interface Amounts {
  request: number
  limit: number
}

function amountsOf(
  resources: unknown,
  name: string,
  parse: (quantity: string) => number,
): Amounts | undefined {
  const request = textAt(resources, 'requests', name)
  const limit = textAt(resources, 'limits', name)
  return request === '' || limit === '' ? undefined : { request: parse(request), limit: parse(limit) }
}

function within(amounts: Amounts | undefined, least: number, most: number): boolean {
  return (
    amounts !== undefined &&
    least <= amounts.request &&
    amounts.request <= amounts.limit &&
    amounts.limit <= most
  )
}

function containerOf(manifest: KubeObject): unknown {
  return at(podSpecOf(manifest), 'containers', 0)
}

/** The probe with its port as a number; of its timings only those that the specification states. */
function probeOf(manifest: KubeObject, name: string, stated: readonly string[]): unknown {
  const probe = at(containerOf(manifest), name)
  const port = at(probe, 'httpGet', 'port')
  const named = listAt(containerOf(manifest), 'ports').find((one) => at(one, 'name') === port)
  return {
    path: at(probe, 'httpGet', 'path'),
    port: named === undefined ? port : at(named, 'containerPort'),
    ...pick(probe, stated),
  }
}

/** Claim → mount path, of the claims that are both declared as a volume and mounted. */
function claimMounts(manifest: KubeObject): Map<string, string> {
  const mounts = listAt(containerOf(manifest), 'volumeMounts')
  return new Map(
    listAt(podSpecOf(manifest), 'volumes').flatMap((volume): [string, string][] => {
      const claim = textAt(volume, 'persistentVolumeClaim', 'claimName')
      const mount = mounts.find((one) => at(one, 'name') === at(volume, 'name'))
      return claim === '' || mount === undefined ? [] : [[claim, textAt(mount, 'mountPath')]]
    }),
  )
}

function pick(value: unknown, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const seen = at(value, key)
      return seen === undefined ? [] : [[key, seen]]
    }),
  )
}
