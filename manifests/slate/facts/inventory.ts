import type { KubeObject } from '../../../bootstrap/kube/client.ts'
import type { Contract, EnvironmentName } from '../contract.ts'
import { idOf, pick } from '../../checks/manifest.ts'
import type { Fact } from '../../checks/fact.ts'

/** `Kind/name` of every object that an environment has to have, and no other. */
export function inventoryOf(contract: Contract, environment: EnvironmentName): string[] {
  const { secrets, volumes } = contract.environments[environment]
  const named = (kind: string, rows: readonly { name: string }[]) => rows.map(({ name }) => `${kind}/${name}`)
  return [
    ...named('Namespace', [contract.namespace]),
    ...named('ClusterRole', [contract.emptyClusterRole]),
    ...named('Ingress', [contract.ingress]),
    ...contract.serviceAccounts.names.map((name) => `ServiceAccount/${name}`),
    ...contract.roles.flatMap((role) => [`Role/${role.name}`, `RoleBinding/${role.binding}`]),
    ...named('Deployment', contract.deployments),
    ...named('Service', contract.services.rows),
    ...named('CronJob', contract.cronJobs),
    ...named('Job', [contract.preload]),
    ...Object.keys(contract.claims.sizes).map((name) => `PersistentVolumeClaim/${name}`),
    ...named('PersistentVolume', Object.values(volumes)),
    ...named('ConfigMap', contract.configMaps),
    ...(secrets === 'placeholder' ? named('Secret', contract.secrets) : []),
    ...named('HorizontalPodAutoscaler', contract.autoscalers),
    ...named('PodDisruptionBudget', contract.disruptionBudgets),
    ...named('NetworkPolicy', contract.networkPolicies),
    ...named('ResourceQuota', [contract.quota]),
    ...named('LimitRange', [contract.limitRange]),
    ...named('PriorityClass', contract.priorityClasses.rows),
  ].sort()
}

/** That these are the objects, each once, in the namespace and with the labels that all of them have. */
export function inventoryFacts(
  contract: Contract,
  environment: EnvironmentName,
  manifests: readonly KubeObject[],
): Fact[] {
  const { commonLabels, namespace } = contract
  const expected = inventoryOf(contract, environment)
  return [
    {
      fact: 'inventory',
      section: `000 Kustomization Base, A30, ${contract.environments[environment].section}`,
      object: 'all',
      expected: { missing: [], extra: [] },
      seeAll: (all) => {
        const seen = all.map(idOf)
        return {
          missing: expected.filter((id) => !seen.includes(id)),
          extra: seen.filter((id, index) => !expected.includes(id) || seen.indexOf(id) !== index),
        }
      },
    },
    {
      fact: 'namespace labels',
      section: namespace.section,
      object: `Namespace/${namespace.name}`,
      expected: namespace.labels,
      see: ({ metadata }) => pick(metadata.labels, Object.keys(namespace.labels)),
    },
    ...manifests.flatMap((manifest): Fact[] => [
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
        expected: clusterScoped.has(manifest.kind) ? undefined : namespace.name,
        see: ({ metadata }) => metadata.namespace,
      },
    ]),
  ]
}

const clusterScoped = new Set(['Namespace', 'ClusterRole', 'PriorityClass', 'PersistentVolume'])
