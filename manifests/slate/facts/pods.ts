import type { KubeObject } from '../../../bootstrap/kube/client.ts'
import type { Contract, EnvironmentName } from '../contract.ts'
import { at, containersOf, listAt, pick, podSpecOf, podTemplateOf, textAt } from '../../checks/manifest.ts'
import type { Fact } from '../../checks/fact.ts'

/** A pod as the contract describes it, whichever object makes it. */
export interface PodRow {
  /** `Kind/name` of the object that makes it. */
  object: string
  section: string
  /** Labels `name` and `component` of the pod. */
  name: string
  component: string
  serviceAccount: string
  token: boolean
  priority: string
  runsAs: 'user' | 'root'
  /** In order, init containers first. */
  containers: ContainerRow[]
}

/** One of SLATE's own with the command that starts it, or a foreign one with its image. */
export type ContainerRow = { name: string; command: string[] } | { name: string; image: string }

/** What every pod has to hold. `manifests` are asked for the ConfigMap that a container takes the stores' addresses from. */
export function podFacts(
  contract: Contract,
  environment: EnvironmentName,
  row: PodRow,
  manifests: readonly KubeObject[],
): Fact[] {
  const { podSecurity, containerSecurity, podLabels, podDefaults, identity, addresses, entrypoint } = contract
  const asked = contract.environments[environment]
  const { object, section } = row
  const own = row.containers.flatMap((one) => ('command' in one ? [one] : []))
  const isOwn = (container: unknown) => own.some(({ name }) => name === at(container, 'name'))
  const stores = contract.configMaps.find(({ name }) => name === addresses.configMap)?.values
  const facts: Fact[] = [
    {
      fact: 'pod labels',
      section: podLabels.section,
      object,
      expected: {
        'app.kubernetes.io/name': row.name,
        'app.kubernetes.io/component': row.component,
        'app.kubernetes.io/part-of': podLabels.partOf,
      },
      see: (manifest) => at(podTemplateOf(manifest), 'metadata', 'labels'),
    },
    {
      fact: 'containers',
      section,
      object,
      expected: row.containers.map(({ name }) => name),
      see: (manifest) => containersOf(manifest).map((one) => at(one, 'name')),
    },
    {
      fact: 'service account',
      section,
      object,
      expected: row.serviceAccount,
      see: (manifest) => at(podSpecOf(manifest), 'serviceAccountName'),
    },
    {
      fact: 'token of the service account',
      section: podDefaults.section,
      object,
      expected: row.token,
      // Kubernetes mounts it where nothing is said.
      see: (manifest) => at(podSpecOf(manifest), 'automountServiceAccountToken') ?? true,
    },
    {
      fact: 'service variables',
      section: podDefaults.section,
      object,
      expected: podDefaults.enableServiceLinks,
      see: (manifest) => at(podSpecOf(manifest), 'enableServiceLinks'),
    },
    {
      fact: 'priority',
      section: `${contract.priorityClasses.section}, ADR 0023`,
      object,
      expected: row.priority,
      see: (manifest) => at(podSpecOf(manifest), 'priorityClassName'),
    },
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
      expected: row.containers.map(() => containerSecurity.context),
      see: (manifest) => containersOf(manifest).map((one) => at(one, 'securityContext')),
    },
    {
      fact: 'image',
      section: `${section}, ${asked.section}`,
      object,
      expected: row.containers.map((one) =>
        'image' in one
          ? { image: one.image }
          : { image: asked.image, imagePullPolicy: asked.imagePullPolicy },
      ),
      see: (manifest) =>
        containersOf(manifest).map((one) => pick(one, isOwn(one) ? ['image', 'imagePullPolicy'] : ['image'])),
    },
    {
      fact: 'GPU',
      section: asked.section,
      object,
      expected: row.containers.map(({ name }) =>
        object.startsWith('Deployment/') ? asked.gpu[name] : undefined,
      ),
      see: (manifest) =>
        containersOf(manifest).map((one) => at(one, 'resources', 'limits', 'nvidia.com/gpu')),
    },
    {
      fact: 'node selector',
      section: asked.section,
      object,
      expected: object.startsWith('Deployment/') ? asked.nodeSelector[row.name] : undefined,
      see: (manifest) => at(podSpecOf(manifest), 'nodeSelector'),
    },
  ]
  if (own.length === 0) return facts
  const ofOwn = (see: (container: unknown) => unknown) => (manifest: KubeObject) =>
    containersOf(manifest).filter(isOwn).map(see)
  return [
    ...facts,
    {
      fact: 'entrypoint',
      section: entrypoint.section,
      object,
      expected: own.map(({ command }) => command),
      see: ofOwn((one) => at(one, 'command')),
    },
    {
      fact: 'addresses of the stores',
      section: addresses.section,
      object,
      expected: own.map(() => pick(stores, addresses.variables)),
      see: ofOwn((one) => pick(valuesFrom(one, addresses.configMap, manifests), addresses.variables)),
    },
    {
      fact: 'identity of the pod',
      section: identity.section,
      object,
      expected: own.map(() => identity.fields),
      see: ofOwn((one) =>
        Object.fromEntries(
          listAt(one, 'env').flatMap((variable) => {
            const field = textAt(variable, 'valueFrom', 'fieldRef', 'fieldPath')
            return field === '' ? [] : [[textAt(variable, 'name'), field]]
          }),
        ),
      ),
    },
  ]
}

/** The variables that a container has from a ConfigMap, with their values. */
function valuesFrom(container: unknown, name: string, manifests: readonly KubeObject[]): unknown {
  const source = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name)
  const data = (source?.['data'] ?? {}) as Record<string, unknown>
  const whole = listAt(container, 'envFrom').some((one) => at(one, 'configMapRef', 'name') === name)
  const single = listAt(container, 'env').flatMap((variable): [string, unknown][] => {
    const from = at(variable, 'valueFrom', 'configMapKeyRef')
    return at(from, 'name') === name ? [[textAt(variable, 'name'), data[textAt(from, 'key')]]] : []
  })
  return { ...(whole ? data : {}), ...Object.fromEntries(single) }
}
