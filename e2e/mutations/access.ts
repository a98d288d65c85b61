import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { inPlace } from './in-place.ts'
import type { Mutation } from './mutation.ts'

const rules = (account: string): string =>
  `slate-access: granted rights › ${account} has in its namespace exactly the rules of the table`
const tokens = (account: string): string =>
  `slate-access: real tokens › ${account} is answered what the table grants, and HTTP 403 for all else`
const decided = (account: string): string =>
  `slate-access: granted rights › decided one by one › ${account} gets exactly the rights of the table among all that are served`
const bindings =
  'slate-access: roles and bindings › no other binding of the cluster names an account of the namespace, and none the empty role'
const emptyRole = 'slate-access: roles and bindings › ClusterRole/slate-deny-all: empty cluster role'
const tokenOf = (deployment: string): string =>
  `slate-access: pods › ${deployment} finds a token in its container only if the table says so`
const workloads = (what: string): string => `slate-access: pods › every workload has the ${what} of the table`

interface Rule {
  apiGroups: string[]
  resources: string[]
  verbs: string[]
}
interface Subject {
  kind: string
  name: string
  namespace?: string
}
interface PodSpec {
  serviceAccountName?: string
  automountServiceAccountToken?: boolean
}

/** The rule of a role that is about a resource. */
function ruleOf(role: KubeObject, resource: string): Rule {
  const rule = (role['rules'] as Rule[]).find(({ resources }) => resources.includes(resource))
  if (!rule) throw new Error(`${role.metadata.name} has no rule about ${resource}.`)
  return rule
}

const podSpec = (workload: KubeObject): PodSpec =>
  workload.kind === 'CronJob'
    ? (workload['spec'] as { jobTemplate: { spec: { template: { spec: PodSpec } } } }).jobTemplate.spec
        .template.spec
    : (workload['spec'] as { template: { spec: PodSpec } }).template.spec

/** Roles, bindings, accounts and tokens. */
export const accessMutations: readonly Mutation[] = [
  {
    name: 'drop-runner-account',
    breaks: 'Runners have an account of their own.',
    object: 'ServiceAccount/slate-runner',
    change: () => undefined,
    caughtBy: 'slate-configuration: objects › the service accounts are those of the table',
    neighbours: [
      'slate-configuration: objects › ConfigMap slate-tech-tree',
      'slate-configuration: objects › Secret slate-github-secret',
    ],
  },
  {
    name: 'let-core-write-secrets',
    breaks: 'Nobody may write secrets.',
    object: 'Role/slate-core-role',
    change: inPlace((role) => {
      ruleOf(role, 'secrets').verbs.push('create')
    }),
    caughtBy: tokens('slate-core'),
    neighbours: [tokens('slate-agent'), tokens('slate-runner')],
  },
  {
    name: 'take-jobs-from-core',
    breaks: 'slate-core manages Jobs.',
    object: 'Role/slate-core-role',
    change: inPlace((role) => {
      role['rules'] = (role['rules'] as Rule[]).filter(({ resources }) => !resources.includes('jobs'))
    }),
    caughtBy: decided('slate-core'),
    neighbours: [decided('slate-agent'), decided('slate-runner')],
  },
  {
    name: 'let-core-do-everything-with-configmaps',
    breaks: 'slate-core has the verbs of the table, and no other.',
    object: 'Role/slate-core-role',
    change: inPlace((role) => {
      ruleOf(role, 'configmaps').verbs = ['*']
    }),
    caughtBy: rules('slate-core'),
    neighbours: [rules('slate-agent'), rules('slate-runner')],
  },
  {
    name: 'let-agent-read-logs',
    breaks: 'slate-agent reads what the table names, and no logs.',
    object: 'Role/slate-agent-role',
    change: inPlace((role) => {
      ruleOf(role, 'pods').resources.push('pods/log')
    }),
    caughtBy: tokens('slate-agent'),
    neighbours: [tokens('slate-core'), tokens('default')],
  },
  {
    name: 'let-agent-write-configmaps',
    breaks: 'The role of the agents is strictly read-only.',
    object: 'Role/slate-agent-role',
    change: inPlace((role) => {
      ruleOf(role, 'configmaps').verbs.push('patch')
    }),
    caughtBy: decided('slate-agent'),
    neighbours: [decided('slate-core'), decided('default')],
  },
  {
    name: 'keep-runner-from-making-jobs',
    breaks: 'The runner makes Jobs.',
    object: 'Role/slate-runner-role',
    change: inPlace((role) => {
      const rule = ruleOf(role, 'jobs')
      rule.verbs = rule.verbs.filter((verb) => verb !== 'create')
    }),
    caughtBy: tokens('slate-runner'),
    neighbours: [tokens('slate-core'), tokens('slate-agent')],
  },
  {
    name: 'drop-agent-binding',
    breaks: 'slate-agent has the rights of its role.',
    object: 'RoleBinding/slate-agent-binding',
    change: () => undefined,
    caughtBy: tokens('slate-agent'),
    neighbours: [tokens('slate-core'), tokens('slate-runner')],
  },
  {
    name: 'bind-default-account',
    breaks: 'The default account has no rights.',
    object: 'RoleBinding/slate-agent-binding',
    change: inPlace((binding) => {
      const subjects = binding['subjects'] as Subject[]
      subjects.push({ kind: 'ServiceAccount', name: 'default', namespace: 'slate' })
    }),
    caughtBy: tokens('default'),
    neighbours: [tokens('slate-agent'), tokens('slate-core')],
  },
  {
    name: 'give-runner-the-role-of-core',
    breaks: 'Every account is bound to its own role.',
    object: 'RoleBinding/slate-runner-binding',
    change: inPlace((binding) => {
      binding['roleRef'] = { ...(binding['roleRef'] as object), name: 'slate-core-role' }
    }),
    caughtBy: rules('slate-runner'),
    neighbours: [rules('slate-core'), rules('slate-agent')],
  },
  {
    name: 'fill-the-empty-cluster-role',
    breaks: 'slate-deny-all grants nothing.',
    object: 'ClusterRole/slate-deny-all',
    change: inPlace((role) => {
      role['rules'] = [{ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }]
    }),
    caughtBy: emptyRole,
    neighbours: [bindings, rules('slate-core')],
  },
  {
    name: 'no-token-for-the-bridge',
    breaks: 'The copilot bridge has the token of its account.',
    object: 'Deployment/slate-copilot-bridge',
    change: inPlace((deployment) => {
      podSpec(deployment).automountServiceAccountToken = false
    }),
    caughtBy: tokenOf('slate-copilot-bridge'),
    neighbours: [tokenOf('slate-core'), tokenOf('ollama')],
  },
  {
    name: 'token-for-the-indexer',
    breaks: 'Jobs that do not ask the API have no token.',
    object: 'CronJob/slate-codebase-indexer',
    change: inPlace((cronJob) => {
      podSpec(cronJob).automountServiceAccountToken = true
    }),
    caughtBy: workloads('token of the service account'),
    neighbours: [workloads('service account'), rules('slate-agent')],
  },
  {
    name: 'indexer-as-core',
    breaks: 'The indexer runs as slate-agent, which only reads.',
    object: 'CronJob/slate-codebase-indexer',
    change: inPlace((cronJob) => {
      podSpec(cronJob).serviceAccountName = 'slate-core'
    }),
    caughtBy: workloads('service account'),
    neighbours: [workloads('token of the service account'), rules('slate-core')],
  },
]
