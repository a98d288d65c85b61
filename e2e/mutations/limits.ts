import { inPlace } from './in-place.ts'
import type { Mutation } from './mutation.ts'

const upTo = (key: string): string =>
  `slate-limits: quota › lets in ${key} up to the amount of the table, and not the first pod beyond`
const liveGpu =
  'slate-limits: quota › refuses one GPU more than the table gives the namespace, and lets in the same pod with those it gives'
const range = (resource: string, bound: string): string =>
  `slate-limits: limit range › refuses ${resource} beyond the ${bound}, and lets in the ${bound}`
const defaults =
  'slate-limits: limit range › gives a container that asks for nothing the defaults of the table'
const isClass = (name: string): string => `slate-limits: priority › ${name} is the specified class`
const displaces =
  'slate-limits: priority › a GPU workload displaces a standard one, and another standard one does not'
const levels = 'slate-pod-security: levels of the namespace ›'
const refuses = (field: string): string => `${levels} refuses a pod for ${field} alone`
const warns = (field: string): string => `${levels} lets in a pod with ${field}, and warns`
const runsAs = (deployment: string): string =>
  `slate-pod-security: processes › ${deployment} runs as its user, with no privilege and no way to one`
const system = (budget: string, what: string): string =>
  `slate-disruption: budgets of the system › ${budget} ${what}`
const oneOfTwo = (budget: string): string =>
  `slate-disruption: budgets of copies › ${budget} lets one of two pods go, and the other not before that one is replaced`
const spread = 'slate-disruption: several nodes › the dashboard is to be spread as the table says'

interface Range {
  limits: [Record<'default' | 'defaultRequest' | 'max' | 'min', Record<string, string>>]
}
interface PodSpec {
  securityContext: Record<string, unknown>
  containers: [{ securityContext: Record<string, unknown> }]
  topologySpreadConstraints?: { whenUnsatisfiable: string }[]
}

const quota = (change: (hard: Record<string, string>) => void) =>
  inPlace((object) => {
    change((object['spec'] as { hard: Record<string, string> }).hard)
  })
const limits = (change: (limits: Range['limits'][0]) => void) =>
  inPlace((object) => {
    change((object['spec'] as Range).limits[0])
  })
const budget = (change: (spec: Record<string, unknown>) => void) =>
  inPlace((object) => {
    change(object['spec'] as Record<string, unknown>)
  })
const label = (mode: string, level: string) =>
  inPlace(({ metadata }) => {
    metadata.labels = { ...metadata.labels, [`pod-security.kubernetes.io/${mode}`]: level }
  })
const pod = (change: (spec: PodSpec) => void) =>
  inPlace((object) => {
    change((object['spec'] as { template: { spec: PodSpec } }).template.spec)
  })

/** Quota, limit range, priorities, Pod Security, budgets and topology spread. */
export const limitMutations: readonly Mutation[] = [
  {
    name: 'raise-quota-of-pods',
    breaks: 'The namespace has twenty pods at most.',
    object: 'ResourceQuota/slate-resource-quota',
    change: quota((hard) => {
      hard['pods'] = '30'
    }),
    caughtBy: upTo('pods'),
    neighbours: [upTo('requests.cpu'), upTo('limits.cpu')],
  },
  {
    name: 'raise-quota-of-gpus',
    breaks: 'The namespace has two GPUs at most.',
    object: 'ResourceQuota/slate-resource-quota',
    change: quota((hard) => {
      hard['requests.nvidia.com/gpu'] = '3'
    }),
    caughtBy: liveGpu,
    neighbours: [upTo('requests.memory'), upTo('limits.memory')],
  },
  {
    name: 'drop-quota-of-memory-limits',
    breaks: 'The limits of memory are bounded.',
    object: 'ResourceQuota/slate-resource-quota',
    change: quota((hard) => {
      delete hard['limits.memory']
    }),
    caughtBy: upTo('limits.memory'),
    neighbours: [upTo('requests.memory'), liveGpu],
  },
  {
    name: 'lower-quota-of-cpu-requests',
    breaks: 'Sixteen cores may be asked for.',
    object: 'ResourceQuota/slate-resource-quota',
    change: quota((hard) => {
      hard['requests.cpu'] = '8'
    }),
    caughtBy: upTo('requests.cpu'),
    neighbours: [upTo('requests.memory'), upTo('limits.memory')],
  },
  {
    name: 'other-default-limit',
    breaks: 'A container that asks for nothing gets the defaults of the table.',
    object: 'LimitRange/slate-limit-range',
    change: limits((row) => {
      row.default['cpu'] = '1'
    }),
    caughtBy: defaults,
    neighbours: [range('cpu', 'maximum'), range('cpu', 'minimum')],
  },
  {
    name: 'raise-largest-container',
    breaks: 'No container has more than eight cores.',
    object: 'LimitRange/slate-limit-range',
    change: limits((row) => {
      row.max['cpu'] = '16'
    }),
    caughtBy: range('cpu', 'maximum'),
    neighbours: [range('memory', 'maximum'), defaults],
  },
  {
    name: 'drop-smallest-memory',
    breaks: 'No container has less than 64Mi.',
    object: 'LimitRange/slate-limit-range',
    change: limits((row) => {
      delete row.min['memory']
    }),
    caughtBy: range('memory', 'minimum'),
    neighbours: [range('cpu', 'minimum'), defaults],
  },
  {
    name: 'drop-limit-range',
    breaks: 'Containers have defaults and bounds.',
    object: 'LimitRange/slate-limit-range',
    change: () => undefined,
    caughtBy: 'slate-limits: limit range › is the specified one',
    neighbours: [isClass('slate-gpu-priority'), 'slate-limits: quota › is the specified one'],
  },
  {
    name: 'gpu-priority-as-standard',
    breaks: 'A GPU workload goes before a standard one.',
    object: 'PriorityClass/slate-gpu-priority',
    change: inPlace((object) => {
      object['value'] = 500
    }),
    caughtBy: displaces,
    neighbours: [isClass('slate-standard-priority'), defaults],
  },
  {
    name: 'gpu-priority-displaces-nobody',
    breaks: 'A GPU workload that finds no room makes room.',
    object: 'PriorityClass/slate-gpu-priority',
    change: inPlace((object) => {
      object['preemptionPolicy'] = 'Never'
    }),
    caughtBy: displaces,
    neighbours: [isClass('slate-standard-priority'), defaults],
  },
  {
    name: 'standard-priority-for-everybody',
    breaks: 'Neither class is the default of the cluster.',
    object: 'PriorityClass/slate-standard-priority',
    change: inPlace((object) => {
      object['globalDefault'] = true
    }),
    caughtBy: isClass('slate-standard-priority'),
    neighbours: [isClass('slate-gpu-priority'), defaults],
  },
  {
    name: 'enforce-nothing',
    breaks: 'The namespace refuses privileged pods.',
    object: 'Namespace/slate',
    change: label('enforce', 'privileged'),
    caughtBy: refuses('privileged'),
    neighbours: [warns('runAsUser'), runsAs('slate-core')],
  },
  {
    name: 'warn-of-nothing',
    breaks: 'The namespace warns of what restricted pods do not do.',
    object: 'Namespace/slate',
    change: label('warn', 'baseline'),
    caughtBy: warns('runAsNonRoot'),
    neighbours: [refuses('privileged'), runsAs('slate-core')],
  },
  {
    name: 'audit-nothing',
    breaks: 'The namespace audits what restricted pods do not do.',
    object: 'Namespace/slate',
    change: label('audit', 'privileged'),
    caughtBy: `${levels} are those of the table`,
    neighbours: [refuses('hostPath'), warns('runAsUser')],
  },
  {
    name: 'let-the-bridge-escalate',
    breaks: 'No container can gain privileges.',
    object: 'Deployment/slate-copilot-bridge',
    change: pod(({ containers: [container] }) => {
      container.securityContext['allowPrivilegeEscalation'] = true
    }),
    caughtBy: runsAs('slate-copilot-bridge'),
    neighbours: [runsAs('slate-core'), runsAs('ollama')],
  },
  {
    name: 'bridge-as-another-user',
    breaks: 'SLATE runs as user 1000.',
    object: 'Deployment/slate-copilot-bridge',
    change: pod(({ securityContext }) => {
      securityContext['runAsUser'] = 2000
    }),
    caughtBy: runsAs('slate-copilot-bridge'),
    neighbours: [runsAs('slate-dashboard'), runsAs('chromadb')],
  },
  {
    name: 'no-dashboard-pod-to-spare',
    breaks: 'One of two pods of the dashboard may go.',
    object: 'PodDisruptionBudget/slate-dashboard-pdb',
    change: budget((spec) => {
      spec['minAvailable'] = 2
    }),
    caughtBy: oneOfTwo('slate-dashboard-pdb'),
    neighbours: [oneOfTwo('slate-core-pdb'), system('ollama-pdb', 'never lets its only pod go')],
  },
  {
    name: 'every-core-pod-to-spare',
    breaks: 'One pod of slate-core stays.',
    object: 'PodDisruptionBudget/slate-core-pdb',
    change: budget((spec) => {
      spec['minAvailable'] = 0
    }),
    caughtBy: oneOfTwo('slate-core-pdb'),
    neighbours: [oneOfTwo('slate-dashboard-pdb'), system('ollama-pdb', 'never lets its only pod go')],
  },
  {
    name: 'budget-of-nobody',
    breaks: 'The budget of slate-core selects its pods.',
    object: 'PodDisruptionBudget/slate-core-pdb',
    change: budget((spec) => {
      spec['selector'] = { matchLabels: { 'app.kubernetes.io/component': 'cores' } }
    }),
    caughtBy: system('slate-core-pdb', 'counts exactly the pods of its Deployment'),
    neighbours: [
      system('slate-dashboard-pdb', 'counts exactly the pods of its Deployment'),
      system('ollama-pdb', 'never lets its only pod go'),
    ],
  },
  {
    name: 'drop-ollama-budget',
    breaks: 'The only Ollama is not let go.',
    object: 'PodDisruptionBudget/ollama-pdb',
    change: () => undefined,
    caughtBy: system('ollama-pdb', 'never lets its only pod go'),
    neighbours: [
      system('slate-core-pdb', 'would let a pod go now'),
      system('slate-dashboard-pdb', 'would let a pod go now'),
    ],
  },
  {
    name: 'insist-on-spreading',
    breaks: 'The dashboard runs on one node rather than not at all.',
    object: 'Deployment/slate-dashboard',
    change: pod(({ topologySpreadConstraints: [constraint] = [] }) => {
      if (constraint) constraint.whenUnsatisfiable = 'DoNotSchedule'
    }),
    caughtBy: spread,
    neighbours: [
      system('slate-dashboard-pdb', 'is the specified one'),
      system('slate-core-pdb', 'is the specified one'),
    ],
  },
]
