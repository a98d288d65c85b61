import type { KubeObject } from '../kube/client.ts'
import { noMetricsApi, type Capability, type CapabilityName, type ClusterFacts } from './capabilities.ts'

/** What the objects of a system ask of the cluster and it does not have. */
export interface Lack {
  capability: CapabilityName
  /** What comes of it, as a sentence. */
  words: string
  /** Whether the system cannot become ready without it. */
  stops: boolean
}

export interface Needs {
  /** The system's objects. */
  objects: readonly KubeObject[]
  facts: ClusterFacts
  /** Add-ons of ours that this run installs. */
  addons: readonly string[]
}

/** Add-on of ours that gives a capability, where one can be put on a cluster that is not ours. */
export const addonFor: Partial<Record<CapabilityName, string>> = {
  storage: 'local-path',
  metrics: 'metrics-server',
  ingress: 'traefik',
}

/** Class that the ingress add-on brings. */
export const ownIngressClass = 'nginx'
export const ownStorageClass = 'local-path'

/** Compares what a system asks for with what there is; a capability that is unknown lacks nothing that stops. Pure. */
export function lacksOf(needs: Needs): Lack[] {
  const { objects, addons, facts } = needs
  const given = (name: CapabilityName): boolean => addons.includes(addonFor[name] ?? '')
  const stateOf = (name: CapabilityName): Capability['state'] =>
    facts.capabilities.find((one) => one.name === name)?.state ?? 'unknown'
  const named = (kind: string): KubeObject[] => objects.filter((object) => object.kind === kind)
  const lacks: Lack[] = []
  const claims = named('PersistentVolumeClaim').map((claim) => ({
    claim: `PersistentVolumeClaim ${claim.metadata.namespace ?? ''}/${claim.metadata.name}`,
    className: (claim['spec'] as { storageClassName?: string } | undefined)?.storageClassName,
  }))
  const classless = claims.filter(({ className }) => className === undefined)
  if (classless[0] && stateOf('storage') === 'absent' && !given('storage'))
    lacks.push({
      capability: 'storage',
      words: `${classless[0].claim}${more(classless.length)} names no class, and the cluster has no default one`,
      stops: true,
    })
  const classes = [
    ...facts.storageClasses.map((one) => one.name),
    ...(given('storage') ? [ownStorageClass] : []),
  ]
  for (const { claim, className } of claims)
    if (
      className !== undefined &&
      className !== '' &&
      stateOf('storage') !== 'unknown' &&
      !classes.includes(className)
    )
      lacks.push({
        capability: 'storage',
        words: `${claim} asks for the class ${className}, which is not there`,
        stops: true,
      })
  if (named('Service').length > 0 && stateOf('dns') === 'absent')
    lacks.push({
      capability: 'dns',
      words: 'Services are found by their names, and no name resolves',
      stops: true,
    })
  const scaled = named('HorizontalPodAutoscaler')
  if (scaled.length > 0 && stateOf('metrics') === 'absent' && !given('metrics'))
    lacks.push({
      capability: 'metrics',
      words: `${String(scaled.length)} autoscalers stay at their minimum, for nothing measures pods`,
      stops: false,
    })
  for (const object of named('Ingress')) {
    const { ingressClassName } = (object['spec'] ?? {}) as { ingressClassName?: string }
    const there = [
      ...facts.ingressClasses.map((one) => one.name),
      ...(given('ingress') ? [ownIngressClass] : []),
    ]
    const served = ingressClassName === undefined ? there.length > 0 : there.includes(ingressClassName)
    if (served || stateOf('ingress') === 'unknown') continue
    lacks.push({
      capability: 'ingress',
      words: `Ingress ${object.metadata.namespace ?? ''}/${object.metadata.name} asks for the class ${ingressClassName ?? 'of the cluster'}, which is not there: nobody serves it`,
      stops: false,
    })
  }
  const policies = named('NetworkPolicy').length
  if (policies > 0 && stateOf('network policy') !== 'present')
    lacks.push({
      capability: 'network policy',
      words: `${String(policies)} NetworkPolicies ${stateOf('network policy') === 'absent' ? 'have no effect' : 'may have no effect: nobody knows whether the network enforces them'}`,
      stops: false,
    })
  return lacks
}

/**
 * Add-ons of ours that would be in the way of what is there from somebody else, one sentence each: a second default class, a second metrics
 * API. Pure.
 */
export function collisionsOf(addons: readonly string[], facts: ClusterFacts): string[] {
  const byOf = (name: CapabilityName): string => facts.capabilities.find((one) => one.name === name)?.by ?? ''
  const metrics = facts.capabilities.find(({ name }) => name === 'metrics')
  const storage = facts.storageClasses.some(
    ({ name, isDefault, ours }) => !ours && (isDefault || name === ownStorageClass),
  )
  const ingress = facts.ingressClasses.some(
    ({ name, isDefault, ours }) => !ours && (isDefault || name === ownIngressClass),
  )
  const taken: Partial<Record<CapabilityName, boolean>> = {
    storage,
    ingress,
    metrics:
      metrics !== undefined &&
      !metrics.ours &&
      !(metrics.state === 'absent' && byOf('metrics') === noMetricsApi),
  }
  return (Object.entries(addonFor) as [CapabilityName, string][])
    .filter(([capability, addon]) => addons.includes(addon) && taken[capability] === true)
    .map(([capability, addon]) => `${addon}: the cluster has ${capability} from ${byOf(capability)}`)
}

/** Volumes among these objects that are a folder of a node, which nobody removes with them: `Volume x (/folder)`. Pure. */
export const foldersOnNodes = (objects: readonly KubeObject[]): string[] =>
  objects.flatMap(({ kind, metadata, ...object }) => {
    const spec = (object['spec'] ?? {}) as { hostPath?: { path?: string }; local?: { path?: string } }
    const folder = spec.hostPath?.path ?? spec.local?.path
    return kind === 'PersistentVolume' && folder !== undefined ? [`${metadata.name} (${folder})`] : []
  })

const more = (count: number): string => (count > 1 ? ` and ${String(count - 1)} more` : '')
