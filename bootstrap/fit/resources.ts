import type { KubeObject } from '../kube/client.ts'
import { listOf, podTemplateOf, type PodTemplate } from '../manifests/pod-template.ts'
import { controlPlaneRequests } from './control-plane.ts'
import { add, amounts, podRequests, type Amounts, type ContainerDefaults } from './pod-requests.ts'
import type { Shortage } from './shortage.ts'

/** What a node offers beyond cores and memory. */
export interface NodeFacts {
  labels: Readonly<Record<string, string>>
  /** Extended resources, such as nvidia.com/gpu, and huge pages. */
  extended: Amounts
}

export interface FitInput {
  system: readonly KubeObject[]
  addons: readonly KubeObject[]
  /** Cores and bytes of the machine that all nodes share, or of the nodes where each has its own. */
  machine: { cores: number; memory: number }
  /** What others ask for beside system and add-ons, by who they are; default the control plane of a cluster of ours. */
  others?: Readonly<Record<string, Amounts>>
  /** Whose the cores and bytes are; default `the machine has`. */
  whose?: string
  nodes: readonly NodeFacts[]
  /** False where nodes that are to be made may get labels that nobody here knows of: then node selectors are not judged. */
  labelsKnown: boolean
}

export interface Fit {
  shortages: Shortage[]
  /** Cores and bytes that all pods together ask for. */
  cores: number
  memory: number
}

/** How many of the largest workloads are named when all together ask for too much. */
const mostNamed = 5

interface Workload {
  name: string
  template: PodTemplate
  /** Pods at the replicas that the manifest states; 0 for what runs by a schedule. */
  pods: number
  requests: Amounts
}

/**
 * Whether the system, with the add-ons and the control plane, gets on this machine what its pods request, and whether there is
 * a node for each of them. All nodes share one machine, so that requests are compared with it and not with the sum of
 * what the nodes believe to have. What autoscalers, schedules and rolling updates add is not counted. Pure.
 */
export function fit({
  system,
  addons,
  machine,
  nodes,
  labelsKnown,
  others = { 'the control plane': controlPlaneRequests },
  whose = 'the machine has',
}: FitInput): Fit {
  const workloads = workloadsOf(system, nodes.length)
  const parts: Record<string, Amounts> = {
    'the system': total(workloads),
    'add-ons': total(workloadsOf(addons, nodes.length)),
    ...others,
  }
  const all = Object.values(parts).reduce((sum, part) => add(sum, part), {})
  const { cpu: cores = 0, memory = 0 } = all
  const shares = (resource: string, words: (amount: number) => string): string =>
    Object.entries(parts)
      .map(([name, part]) => `${name} ${words(part[resource] ?? 0)}`)
      .join(', ')
  const sums: Shortage[] = [
    ...(cores > machine.cores
      ? [
          {
            who: 'all pods together',
            asks: `${coreWords(cores)} (${shares('cpu', coreWords)})`,
            has: `${whose} ${coreWords(machine.cores)}`,
          },
          ...largest(workloads, 'cpu', coreWords),
        ]
      : []),
    ...(memory > machine.memory
      ? [
          {
            who: 'all pods together',
            asks: `${memoryWords(memory)} (${shares('memory', memoryWords)})`,
            has: `${whose} ${memoryWords(machine.memory)}`,
          },
          ...largest(workloads, 'memory', memoryWords),
        ]
      : []),
  ]
  return {
    shortages: [
      ...workloads.flatMap((one) => [
        ...deviceShortages(one, workloads, nodes),
        ...(labelsKnown ? labelShortages(one, nodes) : []),
      ]),
      ...sums,
    ],
    cores,
    memory,
  }
}

/** Whether a node's extended resources or labels matter to these objects, so that nodes must be looked at. */
export function asksForNodes(objects: readonly KubeObject[]): boolean {
  return workloadsOf(objects, 1).some(
    ({ template, requests }) =>
      Object.keys(template.spec.nodeSelector ?? {}).length > 0 || Object.keys(requests).some(isExtended),
  )
}

/** The extended resources among a node's allocatable amounts. */
export const extendedOf = (allocatable: Record<string, unknown> | undefined): Amounts =>
  Object.fromEntries(Object.entries(amounts(allocatable)).filter(([name]) => isExtended(name)))

/** https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources */
const isExtended = (resource: string): boolean =>
  resource.startsWith('hugepages-') || (resource.includes('/') && !resource.includes('kubernetes.io/'))

export const coreWords = (cores: number): string =>
  `${String(Math.round(cores * 100) / 100)} ${cores === 1 ? 'core' : 'cores'}`
export const memoryWords = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`

function workloadsOf(objects: readonly KubeObject[], nodes: number): Workload[] {
  const defaults = defaultsByNamespace(objects)
  return objects.flatMap((object) => {
    const template = podTemplateOf(object)
    if (!template) return []
    const { namespace = '' } = object.metadata
    return [
      {
        name: `${object.kind} ${namespace === '' ? '' : `${namespace}/`}${object.metadata.name}`,
        template,
        pods: podCount(object, nodes),
        requests: podRequests(template.spec, defaults.get(namespace)),
      },
    ]
  })
}

function podCount(object: KubeObject, nodes: number): number {
  const { replicas, parallelism, completions } = (object['spec'] ?? {}) as Record<string, number | undefined>
  switch (object.kind) {
    case 'CronJob':
      return 0
    case 'DaemonSet':
      return nodes
    case 'Job':
      return Math.min(parallelism ?? 1, completions ?? parallelism ?? 1)
    default:
      return replicas ?? 1
  }
}

function defaultsByNamespace(objects: readonly KubeObject[]): Map<string, ContainerDefaults> {
  const defaults = new Map<string, ContainerDefaults>()
  for (const object of objects.filter(({ kind }) => kind === 'LimitRange')) {
    const { limits } = (object['spec'] ?? {}) as {
      limits?: {
        type?: string
        default?: Record<string, unknown>
        defaultRequest?: Record<string, unknown>
      }[]
    }
    for (const limit of listOf(limits).filter(({ type }) => type === 'Container')) {
      defaults.set(object.metadata.namespace ?? '', {
        limits: amounts(limit.default),
        requests: amounts(limit.defaultRequest),
      })
    }
  }
  return defaults
}

const total = (workloads: readonly Workload[]): Amounts =>
  workloads.reduce<Amounts>((sum, { requests, pods }) => add(sum, requests, pods), {})

function largest(
  workloads: readonly Workload[],
  resource: string,
  words: (amount: number) => string,
): Shortage[] {
  return workloads
    .map(({ name, pods, requests }) => ({ name, pods, each: requests[resource] ?? 0 }))
    .filter(({ pods, each }) => pods * each > 0)
    .sort((a, b) => b.pods * b.each - a.pods * a.each)
    .slice(0, mostNamed)
    .map(({ name, pods, each }) => ({
      who: `  ${name}`,
      asks: `${words(pods * each)}${pods > 1 ? `, ${String(pods)} pods` : ''}`,
      has: '',
    }))
}

/** Devices that the nodes do not have for the pods of one workload, scheduled ones included. */
function deviceShortages(
  { name, requests }: Workload,
  all: readonly Workload[],
  nodes: readonly NodeFacts[],
): Shortage[] {
  return Object.keys(requests)
    .filter(isExtended)
    .flatMap((resource) => {
      const asked = requests[resource] ?? 0
      const there = nodes.reduce((sum, node) => sum + (node.extended[resource] ?? 0), 0)
      const together = all.reduce((sum, one) => sum + (one.requests[resource] ?? 0) * one.pods, 0)
      const most = Math.max(0, ...nodes.map((node) => node.extended[resource] ?? 0))
      if (asked === 0 || (asked <= most && together <= there)) return []
      const has =
        there === 0 ? 'no node has any' : `the nodes have ${String(there)}, ${String(together)} asked for`
      return [{ who: name, asks: `${resource}: ${String(asked)}`, has }]
    })
}

/** The node selector of one workload that no node satisfies. */
function labelShortages({ name, template }: Workload, nodes: readonly NodeFacts[]): Shortage[] {
  const selector = Object.entries(template.spec.nodeSelector ?? {})
  const fits = nodes.some(({ labels }) => selector.every(([key, value]) => labels[key] === value))
  if (selector.length === 0 || fits) return []
  const asks = `a node with ${selector.map(([key, value]) => `${key}=${value}`).join(', ')}`
  return [{ who: name, asks, has: 'no node has that label' }]
}
