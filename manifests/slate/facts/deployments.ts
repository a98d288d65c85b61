import type { KubeObject } from '../../../bootstrap/kube/client.ts'
import { externalAnnotation } from '../../../bootstrap/manifests/reference-problems.ts'
import type { Contract, DeploymentRow, EnvironmentName } from '../contract.ts'
import { at, listAt, mainContainerOf, pick, podSpecOf, podTemplateOf, textAt } from '../../checks/manifest.ts'
import type { Fact } from '../../checks/fact.ts'
import { claimMounts } from './mounts.ts'
import { podFacts } from './pods.ts'

/** What the Deployments have to hold: the eight of the contract, whole. */
export function deploymentFacts(
  contract: Contract,
  environment: EnvironmentName,
  manifests: readonly KubeObject[],
): Fact[] {
  return contract.deployments.flatMap((row) => [
    ...podFacts(
      contract,
      environment,
      {
        ...row,
        object: `Deployment/${row.name}`,
        containers: [
          row.entrypoint === undefined
            ? { name: row.name, image: row.image ?? '' }
            : { name: row.name, command: [...contract.entrypoint.service, row.entrypoint] },
        ],
      },
      manifests,
    ),
    ...ownFacts(contract, environment, row),
  ])
}

function ownFacts(contract: Contract, environment: EnvironmentName, row: DeploymentRow): Fact[] {
  const { probes, topologySpread, scrape, rollouts } = contract
  const asked = contract.environments[environment]
  const { section } = row
  const object = `Deployment/${row.name}`
  const probe = (name: 'startup' | 'liveness' | 'readiness'): Fact => ({
    fact: `${name} probe`,
    section: `${probes.section}, ${section}`,
    object,
    expected: { path: row.healthPath, port: row.ports[0], ...probes[name] },
    see: (manifest) => probeOf(manifest, `${name}Probe`, Object.keys(probes[name])),
  })
  const resources = asked.resources[row.name]
  return [
    {
      fact: 'replicas',
      section,
      object,
      expected: row.replicas,
      see: (manifest) => at(manifest, 'spec', 'replicas'),
    },
    {
      fact: 'rollout',
      section: rollouts.section,
      object,
      expected: rollouts[row.rollout],
      see: (manifest) => at(manifest, 'spec', 'strategy'),
    },
    {
      fact: 'container ports',
      section,
      object,
      expected: row.ports,
      see: (manifest) => listAt(mainContainerOf(manifest), 'ports').map((port) => at(port, 'containerPort')),
    },
    probe('startup'),
    probe('liveness'),
    probe('readiness'),
    {
      fact: 'claims mounted',
      section,
      object,
      expected: row.claims.toSorted(),
      see: (manifest) => [...claimMounts(manifest).keys()].sort(),
    },
    ...Object.entries(row.claimPaths ?? {}).map(([claim, path]): Fact => ({
      fact: 'mount path of a claim',
      section,
      object,
      expected: path,
      see: (manifest) => claimMounts(manifest).get(claim)?.path,
    })),
    {
      fact: 'ConfigMaps mounted',
      section,
      object,
      expected: row.configMaps,
      see: (manifest) => {
        const mounted = listAt(podSpecOf(manifest), 'volumes').map((one) => at(one, 'configMap', 'name'))
        return row.configMaps.filter((name) => mounted.includes(name))
      },
    },
    {
      fact: 'Secrets read',
      section: '000 Secrets, ADR 0026',
      object,
      expected: row.secrets,
      see: (manifest) =>
        Object.fromEntries(
          listAt(mainContainerOf(manifest), 'env').flatMap((variable) => {
            const from = at(variable, 'valueFrom', 'secretKeyRef')
            return from === undefined ? [] : [[textAt(from, 'name'), textAt(from, 'key')]]
          }),
        ),
    },
    {
      fact: 'Secrets from outside',
      section: '000 Key Principles, ADR 0026',
      object,
      expected: Object.keys(row.secrets).map((name) => `Secret/${name}`),
      see: ({ metadata }) => metadata.annotations?.[externalAnnotation]?.split(',') ?? [],
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
      see: (manifest) => at(podTemplateOf(manifest), 'metadata', 'annotations'),
    },
    ...(resources === undefined
      ? []
      : [
          {
            fact: 'stated resources',
            section: asked.section,
            object,
            expected: resources,
            see: (manifest: KubeObject) => at(mainContainerOf(manifest), 'resources'),
          },
        ]),
  ]
}

/** The probe with its port as a number; of its timings only those that the specification states. */
function probeOf(manifest: KubeObject, name: string, stated: readonly string[]): unknown {
  const container = mainContainerOf(manifest)
  const probe = at(container, name)
  const port = at(probe, 'httpGet', 'port')
  const named = listAt(container, 'ports').find((one) => at(one, 'name') === port)
  return {
    path: at(probe, 'httpGet', 'path'),
    port: named === undefined ? port : at(named, 'containerPort'),
    ...pick(probe, stated),
  }
}
