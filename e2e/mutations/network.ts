import type { NetworkPolicy } from '../reachability/evaluate-policies.ts'
import { inPlace } from './in-place.ts'
import type { Mutation } from './mutation.ts'

type Spec = NetworkPolicy['spec']
type Rule<Side extends 'from' | 'to'> = {
  [key in Side]?: {
    podSelector?: object
    namespaceSelector?: object
    ipBlock?: { cidr: string }
  }[]
} & { ports?: { port?: number }[] }
/** What the changes below may touch. */
interface OpenSpec {
  podSelector: { matchExpressions?: { key: string; operator: string; values: string[] }[] }
  policyTypes: Spec['policyTypes']
  ingress?: Rule<'from'>[]
  egress?: Rule<'to'>[]
}

const reaches = (title: string): string => `slate-reachability: who reaches whom › ${title}`
const within = reaches('pods of SLATE reach every workload')
const elsewhere = reaches('a pod of another namespace reaches the dashboard')
const controller = reaches('the ingress controller reaches the routed services')
const machine = reaches('a machine outside the cluster reaches the dashboard')
const dns = reaches('every pod of SLATE asks the cluster DNS')
const apiServer = reaches('the API server is reached by the services')
const outside = reaches("outside of the cluster SLATE's own services reach GitHub")
const toOthers = reaches('no pod of SLATE reaches a pod of another namespace')
const asObject = (policy: string): string =>
  `slate-policies: policies › ${policy} is in the cluster as the specification states it`

/** A change of one policy's spec, in place; without one the policy is left out. */
const policy = (
  name: string,
  about: string,
  change: ((spec: OpenSpec) => void) | undefined,
  rest: Pick<Mutation, 'breaks' | 'caughtBy' | 'neighbours'>,
): Mutation => ({
  name: about,
  object: `NetworkPolicy/${name}`,
  change:
    change === undefined
      ? () => undefined
      : inPlace((object) => {
          change(object['spec'] as OpenSpec)
        }),
  ...rest,
})

const anyNamespace = { namespaceSelector: {}, podSelector: {} }

/** Changes to the NetworkPolicies, each seen by somebody who gets through or no longer does. */
export const networkMutations: readonly Mutation[] = [
  policy('default-deny-all', 'drop-default-deny-all', undefined, {
    breaks: 'The policy that denies everything is not there.',
    caughtBy: asObject('default-deny-all'),
    neighbours: [asObject('allow-intra-slate'), within],
  }),
  policy('allow-ollama-from-slate', 'drop-allow-ollama-from-slate', undefined, {
    breaks: "The policy for Ollama's own port is not there.",
    caughtBy: asObject('allow-ollama-from-slate'),
    neighbours: [asObject('allow-intra-slate'), within],
  }),

  policy('allow-intra-slate', 'drop-allow-intra-slate', undefined, {
    breaks: 'Pods of SLATE do not reach each other.',
    caughtBy: within,
    neighbours: [elsewhere, controller],
  }),
  policy(
    'allow-intra-slate',
    'intra-slate-from-every-namespace',
    ({ ingress = [] }) => (ingress[0] = { from: [anyNamespace] }),
    {
      breaks: 'Pods of every namespace reach every pod of SLATE.',
      caughtBy: elsewhere,
      neighbours: [within, machine],
    },
  ),
  policy(
    'allow-intra-slate',
    'intra-slate-to-every-namespace',
    ({ egress = [] }) => (egress[0] = { to: [anyNamespace] }),
    {
      breaks: 'Pods of SLATE reach every pod of the cluster.',
      caughtBy: toOthers,
      neighbours: [within, elsewhere],
    },
  ),
  policy('allow-intra-slate', 'drop-dns-rule', ({ egress = [] }) => egress.splice(1, 1), {
    breaks: 'Ollama, Chroma and the jobs cannot resolve a name.',
    caughtBy: dns,
    neighbours: [within, elsewhere],
  }),
  policy('allow-intra-slate', 'dns-anywhere', ({ egress = [] }) => delete egress[1]?.to, {
    breaks: 'Port 53 is open to everybody, inside and outside.',
    caughtBy: dns,
    neighbours: [within, apiServer],
  }),
  policy(
    'allow-intra-slate',
    'dns-of-every-namespace',
    ({ egress = [] }) => Object.assign(egress[1]?.to?.[0] ?? {}, { namespaceSelector: {} }),
    {
      breaks: 'Port 53 is open to every pod that calls itself kube-dns.',
      caughtBy: dns,
      neighbours: [within, toOthers],
    },
  ),
  policy(
    'allow-intra-slate',
    'dns-every-pod-of-kube-system',
    ({ egress = [] }) => delete egress[1]?.to?.[0]?.podSelector,
    {
      breaks: 'Port 53 is open to every pod of kube-system.',
      caughtBy: dns,
      neighbours: [within, apiServer],
    },
  ),
  policy('allow-intra-slate', 'dns-every-port', ({ egress = [] }) => delete egress[1]?.ports, {
    breaks: 'Every port of the DNS pods is open.',
    caughtBy: dns,
    neighbours: [within, apiServer],
  }),

  policy('allow-dashboard-ingress', 'drop-allow-dashboard-ingress', undefined, {
    breaks: 'The dashboard is closed to everybody but SLATE and the ingress controller.',
    caughtBy: elsewhere,
    neighbours: [within, controller],
  }),
  policy(
    'allow-dashboard-ingress',
    'dashboard-ingress-on-8081',
    ({ ingress = [] }) => Object.assign(ingress[0]?.ports?.[0] ?? {}, { port: 8081 }),
    {
      breaks: 'The dashboard is open on a port that is not its own.',
      caughtBy: elsewhere,
      neighbours: [within, controller],
    },
  ),
  policy(
    'allow-dashboard-ingress',
    'dashboard-ingress-on-every-port',
    ({ ingress = [] }) => delete ingress[0]?.ports,
    {
      breaks: 'Every port of the dashboard is open to everybody.',
      caughtBy: machine,
      neighbours: [within, dns],
    },
  ),

  policy('allow-ingress-to-services', 'drop-allow-ingress-to-services', undefined, {
    breaks: 'The ingress controller reaches nothing but the dashboard.',
    caughtBy: controller,
    neighbours: [within, elsewhere],
  }),
  policy(
    'allow-ingress-to-services',
    'ingress-from-a-wrong-namespace',
    ({ ingress = [] }) =>
      Object.assign(ingress[0]?.from?.[0] ?? {}, {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'nginx-ingress' } },
      }),
    {
      breaks: 'The routed services are open to a namespace that is not there.',
      caughtBy: controller,
      neighbours: [within, elsewhere],
    },
  ),
  policy(
    'allow-ingress-to-services',
    'ingress-from-every-namespace',
    ({ ingress = [] }) => Object.assign(ingress[0]?.from?.[0] ?? {}, { namespaceSelector: {} }),
    {
      breaks: 'The routed services are open to pods of every namespace.',
      caughtBy: elsewhere,
      neighbours: [within, controller],
    },
  ),
  policy(
    'allow-ingress-to-services',
    'ingress-without-9090',
    ({ ingress = [] }) => {
      if (ingress[0]) ingress[0].ports = (ingress[0].ports ?? []).filter(({ port }) => port !== 9090)
    },
    {
      breaks: "The ingress controller does not reach the router's metrics.",
      caughtBy: controller,
      neighbours: [within, elsewhere],
    },
  ),
  policy(
    'allow-ingress-to-services',
    'ingress-on-every-port',
    ({ ingress = [] }) => delete ingress[0]?.ports,
    {
      breaks: 'Every port of the routed services is open to the ingress controller.',
      caughtBy: controller,
      neighbours: [within, elsewhere],
    },
  ),
  policy('allow-ingress-to-services', 'ingress-to-every-pod', (spec) => (spec.podSelector = {}), {
    breaks: 'The ingress controller reaches slate-core, which has no route.',
    caughtBy: controller,
    neighbours: [within, elsewhere],
  }),

  policy('allow-github-egress', 'drop-allow-github-egress', undefined, {
    breaks: "SLATE's own services do not reach GitHub.",
    caughtBy: outside,
    neighbours: [within, dns],
  }),
  policy(
    'allow-github-egress',
    'github-anywhere',
    ({ egress = [] }) => (egress[0] = { ...egress[0], to: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }),
    {
      breaks: "SLATE's own services reach every address on 443.",
      caughtBy: outside,
      neighbours: [within, dns],
    },
  ),
  policy(
    'allow-github-egress',
    'github-wider-block',
    ({ egress = [] }) => Object.assign(egress[0]?.to?.[0] ?? {}, { ipBlock: { cidr: '140.82.0.0/16' } }),
    {
      breaks: "One of GitHub's blocks is wider than it is GitHub's.",
      caughtBy: outside,
      neighbours: [within, apiServer],
    },
  ),
  policy('allow-github-egress', 'github-without-a-block', ({ egress = [] }) => egress[0]?.to?.splice(1, 1), {
    breaks: "One of GitHub's blocks is missing.",
    caughtBy: outside,
    neighbours: [within, dns],
  }),
  policy('allow-github-egress', 'github-on-every-port', ({ egress = [] }) => delete egress[0]?.ports, {
    breaks: 'GitHub is reached on every port.',
    caughtBy: outside,
    neighbours: [within, apiServer],
  }),
  policy('allow-github-egress', 'github-for-everybody', (spec) => (spec.podSelector = {}), {
    breaks: 'Ollama and Chroma reach GitHub.',
    caughtBy: outside,
    neighbours: [within, apiServer],
  }),

  policy('allow-api-server-egress', 'drop-allow-api-server-egress', undefined, {
    breaks: 'Nobody in SLATE reaches the API server.',
    caughtBy: apiServer,
    neighbours: [within, dns],
  }),
  policy(
    'allow-api-server-egress',
    'api-server-on-443',
    ({ egress = [] }) => Object.assign(egress[0]?.ports?.[0] ?? {}, { port: 443 }),
    {
      breaks: 'The way to the API server leads to the wrong port.',
      caughtBy: apiServer,
      neighbours: [within, dns],
    },
  ),
  policy('allow-api-server-egress', 'api-server-for-everybody', (spec) => (spec.podSelector = {}), {
    breaks: 'Ollama and Chroma reach the API server.',
    caughtBy: apiServer,
    neighbours: [within, dns],
  }),
  policy(
    'allow-api-server-egress',
    'api-server-at-every-address',
    ({ egress = [] }) => egress[0]?.to?.push({ ipBlock: { cidr: '0.0.0.0/0' } }),
    {
      breaks: "The API server's port is open all over the world.",
      caughtBy: outside,
      neighbours: [within, apiServer],
    },
  ),
  policy(
    'allow-api-server-egress',
    'api-server-not-for-nightly-health',
    ({ podSelector }) => {
      for (const one of podSelector.matchExpressions ?? []) {
        one.values = one.values.filter((value) => value !== 'nightly-health')
      }
    },
    {
      breaks: 'The nightly health check does not reach the API server.',
      caughtBy: 'slate-reachability: pods that are seldom there › a pod of the job nightly-health reaches',
      neighbours: [within, apiServer],
    },
  ),

  policy('allow-ollama-from-slate', 'ollama-from-anywhere', ({ ingress = [] }) => delete ingress[0]?.from, {
    breaks: 'Ollama is open to everybody.',
    caughtBy: elsewhere,
    neighbours: [within, dns],
  }),
  policy(
    'allow-chromadb-from-slate',
    'chromadb-from-anywhere',
    ({ ingress = [] }) => delete ingress[0]?.from,
    {
      breaks: 'Chroma is open to everybody.',
      caughtBy: machine,
      neighbours: [within, dns],
    },
  ),
  policy('allow-ollama-from-slate', 'ollama-goes-anywhere', (spec) => (spec.egress = [{}]), {
    breaks: 'Ollama reaches every address.',
    caughtBy: outside,
    neighbours: [within, elsewhere],
  }),
]
