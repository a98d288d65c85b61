import { canonicalJson, type Plan } from './plan.ts'

/** One difference between the plan a cluster was made with and the plan now asked for. */
export interface Change {
  /** `in-place`: the running cluster can take it. `needs-recreate`: only a new cluster can. */
  kind: 'in-place' | 'needs-recreate'
  field: keyof Plan
  /** "nodes: 1 → 2". */
  words: string
}

const show: {
  [Field in keyof Plan]-?: { kind: Change['kind']; title: string; words: (value: Plan[Field]) => string }
} = {
  name: { kind: 'needs-recreate', title: 'name', words: String },
  provider: { kind: 'needs-recreate', title: 'provider', words: String },
  kubernetesVersion: { kind: 'needs-recreate', title: 'Kubernetes version', words: String },
  nodes: { kind: 'needs-recreate', title: 'nodes', words: (nodes) => String(nodes.length) },
  cni: { kind: 'needs-recreate', title: 'network', words: (cni) => cni ?? 'cilium' },
  listenAddress: { kind: 'needs-recreate', title: 'listen address', words: String },
  httpPort: { kind: 'needs-recreate', title: 'HTTP port', words: String },
  httpsPort: { kind: 'needs-recreate', title: 'HTTPS port', words: String },
  ingressUrl: { kind: 'in-place', title: 'ingress', words: (url) => url ?? 'not known' },
  extraMounts: {
    kind: 'needs-recreate',
    title: 'mounts',
    words: (mounts) =>
      list(mounts.map((mount) => `${mount.hostPath}:${mount.containerPath}${mount.readOnly ? ':ro' : ''}`)),
  },
  kubeadmPatches: {
    kind: 'needs-recreate',
    title: 'kubeadm patches',
    words: (patches) => list(patches.map((patch) => patch.split('\n').join(' ').slice(0, 60))),
  },
  addons: {
    kind: 'in-place',
    title: 'add-ons',
    words: (addons) => list(addons.map((addon) => `${addon.name} ${addon.version}`)),
  },
  systems: {
    kind: 'in-place',
    title: 'system',
    words: (systems) =>
      list(
        systems.map(({ name, environment, choices = {} }) =>
          [
            `${name}/${environment}`,
            ...Object.entries(choices).map(([option, value]) => `${option} ${value}`),
          ].join(' with '),
        ),
      ),
  },
  gpu: {
    kind: 'in-place',
    title: 'GPUs',
    words: (gpu) =>
      gpu === undefined
        ? 'none'
        : `${String(gpu.count)} ${gpu.tier}, ${gpu.strategy}${gpu.replicas > 1 ? `, each ${String(gpu.replicas)} times` : ''}`,
  },
  runtimeClasses: {
    kind: 'in-place',
    title: 'runtime classes',
    words: (classes) => list(classes ?? []),
  },
  mergeKubeconfig: {
    kind: 'in-place',
    title: 'merge into the user’s kubeconfig',
    words: (merge) => (merge ? 'yes' : 'no'),
  },
}

/** Every difference between two plans, in a fixed order; empty when they ask for the same. Pure. */
export function comparePlans(stored: Plan, wanted: Plan): Change[] {
  return (Object.keys(show) as (keyof Plan)[])
    .filter((field) => canonicalJson(stored[field] ?? null) !== canonicalJson(wanted[field] ?? null))
    .map((field) => {
      const { kind, title } = show[field]
      const words = show[field].words as (value: Plan[keyof Plan]) => string
      return { kind, field, words: `${title}: ${words(stored[field])} → ${words(wanted[field])}` }
    })
}

const list = (items: readonly string[]): string => (items.length === 0 ? 'none' : items.join(', '))
