import { createHash } from 'node:crypto'
import type { GpuPlan } from './gpu-plan.ts'
import { choicesOf, systemNames, type UpOptions } from './options.ts'

/** What a cluster and its content are to be: the part of the options that the result depends on, nothing else. */
export interface Plan {
  name: string
  provider: UpOptions['provider']
  /** Empty for an existing cluster, as all that is its owner's: nodes, ports, mounts, patches. */
  kubernetesVersion: string
  nodes: { name: string; role: 'control-plane' | 'worker' }[]
  /** The nodes' own network; absent for that of the add-on. */
  cni?: 'basic'
  listenAddress: string
  httpPort: number
  httpsPort: number
  /** Where the ingress of an existing cluster answers; absent where nobody told, and for other providers. */
  ingressUrl?: string
  extraMounts: UpOptions['extraMounts']
  /** Contents of the patch files, so that a changed file is a changed plan. */
  kubeadmPatches: string[]
  addons: { name: string; version: string }[]
  /** `choices`: values of the system's options that differ from the default; absent when there are none. */
  systems: { name: string; environment: string; choices?: Record<string, string> }[]
  mergeKubeconfig: boolean
  /** GPUs of the last node; absent for none. */
  gpu?: GpuPlan
  /** RuntimeClasses beside that of ordinary pods; absent for none. */
  runtimeClasses?: UpOptions['runtimeClasses']
}

/** What the plan takes from files. */
export interface PlanInputs {
  addons: readonly { name: string; version: string }[]
  kubeadmPatches: readonly string[]
  /** What `--gpu` came to on this machine; absent for none. */
  gpu?: GpuPlan
}

/** The plan that these options ask for. Pure; the order of add-ons in the input does not matter. */
export function makePlan(options: UpOptions, inputs: PlanInputs): Plan {
  const choices = choicesOf(options)
  const systems = systemNames(options.system).map((name) => ({
    name,
    environment: options.environment,
    ...(Object.keys(choices).length === 0 ? {} : { choices }),
  }))
  return {
    name: options.name,
    provider: options.provider,
    ...(options.provider === 'existing' ? notOurs(options) : machine(options, inputs)),
    addons: inputs.addons
      .map(({ name, version }) => ({ name, version }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    systems,
    mergeKubeconfig: options.mergeKubeconfig,
    ...(inputs.gpu === undefined ? {} : { gpu: inputs.gpu }),
    ...(options.runtimeClasses.length === 0 ? {} : { runtimeClasses: options.runtimeClasses }),
  }
}

type Machine = Pick<
  Plan,
  | 'kubernetesVersion'
  | 'nodes'
  | 'cni'
  | 'listenAddress'
  | 'httpPort'
  | 'httpsPort'
  | 'ingressUrl'
  | 'extraMounts'
  | 'kubeadmPatches'
>

const machine = (options: UpOptions, inputs: PlanInputs): Machine => ({
  kubernetesVersion: options.kubernetesVersion,
  nodes: nodeNames(options.name, options.nodes),
  ...(options.cni === 'basic' ? { cni: options.cni } : {}),
  listenAddress: options.listenAddress,
  httpPort: options.httpPort,
  httpsPort: options.httpsPort,
  extraMounts: [...options.extraMounts, ...(inputs.gpu?.tier === 'real' ? [allCards] : [])],
  kubeadmPatches: inputs.kubeadmPatches.map((patch) => patch.trim()),
})

const notOurs = ({ ingressUrl }: UpOptions): Machine => ({
  kubernetesVersion: '',
  nodes: [],
  listenAddress: '',
  httpPort: 0,
  httpsPort: 0,
  ...(ingressUrl === undefined ? {} : { ingressUrl }),
  extraMounts: [],
  kubeadmPatches: [],
})

/**
 * NVIDIA's container runtime on the host takes this mount as "every card" (accept-nvidia-visible-devices-as-volume-mounts). It also tells
 * which cluster has them.
 */
export const allCards = {
  hostPath: '/dev/null',
  containerPath: '/var/run/nvidia-container-devices/all',
  readOnly: false,
}

/** Node names as kind gives them: NAME-control-plane, NAME-worker, NAME-worker2, … */
export function nodeNames(cluster: string, count: number): Plan['nodes'] {
  return Array.from({ length: count }, (_, index) =>
    index === 0
      ? { name: `${cluster}-control-plane`, role: 'control-plane' as const }
      : { name: `${cluster}-worker${index === 1 ? '' : String(index)}`, role: 'worker' as const },
  )
}

/** JSON with sorted keys and no blanks: equal values give equal text. `undefined` members are left out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}

/** `sha256:` and the hex digest of the value's canonical JSON. */
export function canonicalHash(value: unknown): string {
  return `sha256:${createHash('sha256').update(canonicalJson(value)).digest('hex')}`
}
