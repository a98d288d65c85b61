import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { inPlace } from './in-place.ts'
import type { Mutation } from './mutation.ts'

interface ServiceSpec {
  type: string
  selector: Record<string, string>
  ports: [Port, ...Port[]]
}
interface Port {
  port: number
  targetPort?: number | string
}
interface Path {
  path: string
  pathType: string
  backend: { service: { name: string; port: { number: number } } }
}
interface IngressSpec {
  ingressClassName: string
  rules: [{ host: string; http: { paths: Path[] } }]
}

const service = (change: (spec: ServiceSpec) => void) =>
  inPlace((object) => {
    change(object['spec'] as ServiceSpec)
  })

const ingress = (change: (spec: IngressSpec, object: KubeObject) => void) =>
  inPlace((object) => {
    change(object['spec'] as IngressSpec, object)
  })

/** The path of an Ingress. @throws Error when it is not there */
function pathOf({ rules }: IngressSpec, wanted: string): Path {
  const found = rules[0].http.paths.find(({ path }) => path === wanted)
  if (!found) throw new Error(`The Ingress has no path ${wanted}.`)
  return found
}

const shaped = (name: string): string =>
  `slate-discovery: Services › ${name} has the stated type, ports and selector`
const leads = (name: string): string =>
  `slate-discovery: Services › ${name} leads to exactly the ready pods of its deployment, on its ports`
const answers = (name: string): string =>
  `slate-discovery: names › ${name} answers inside SLATE by its short name, as its deployment, on every port`
const gives = (name: string, port: number): string =>
  `slate-discovery: metrics › Service ${name} gives metrics on port ${String(port)} from inside SLATE`
const below = (path: string): string =>
  `slate-routing: routes › ${path} leads to the same service with a slash at its end, a query, and below it`
const sibling = (path: string): string =>
  `slate-routing: routes › ${path} is no prefix of a name that only begins like it`
const refuses = (path: string): string =>
  `slate-routing: routes › ${path} refuses a method that it does not have`
const stated =
  'slate-routing: routes › the Ingress has the stated class and host, and the stated paths in order'
/** How long the controller of the ingress may take to read a change, milliseconds. */
const settleMs = 3_000

/** Changes to SLATE's Services and its Ingress; nothing restarts. */
export const serviceMutations: readonly Mutation[] = [
  {
    name: 'autonomous-service-leads-elsewhere',
    breaks: 'The Service of the autonomous loop selects the pods of another deployment.',
    object: 'Service/slate-autonomous-svc',
    change: service((spec) => {
      spec.selector = { 'app.kubernetes.io/component': 'copilot-bridge' }
    }),
    caughtBy: leads('slate-autonomous-svc'),
    neighbours: [leads('slate-copilot-bridge-svc'), answers('slate-workflow-svc')],
  },
  {
    name: 'chromadb-service-to-a-closed-port',
    breaks: 'The Service of ChromaDB leads to a port at which nobody listens.',
    object: 'Service/chromadb-svc',
    change: service((spec) => {
      spec.ports[0].targetPort = 8001
    }),
    caughtBy: answers('chromadb-svc'),
    neighbours: [answers('ollama-svc'), shaped('chromadb-svc')],
  },
  {
    name: 'workflow-service-on-every-node',
    breaks: 'The workflow manager is reached at a port of the node.',
    object: 'Service/slate-workflow-svc',
    change: service((spec) => {
      spec.type = 'NodePort'
    }),
    caughtBy: shaped('slate-workflow-svc'),
    neighbours: [shaped('slate-autonomous-svc'), answers('slate-workflow-svc')],
  },
  {
    name: 'bridge-service-at-another-port',
    breaks: 'The Service of the copilot bridge has another port.',
    object: 'Service/slate-copilot-bridge-svc',
    change: service((spec) => {
      spec.ports[0].port = 80
    }),
    caughtBy: answers('slate-copilot-bridge-svc'),
    neighbours: [answers('slate-autonomous-svc'), leads('slate-copilot-bridge-svc')],
  },
  {
    name: 'metrics-service-without-pods',
    breaks: 'The Service that is scraped leads to nobody.',
    object: 'Service/slate-metrics-svc',
    change: service((spec) => {
      spec.selector = { 'app.kubernetes.io/component': 'router' }
    }),
    caughtBy: gives('slate-metrics-svc', 9090),
    neighbours: [gives('slate-dashboard-svc', 8080), leads('slate-agent-router-svc')],
  },
  {
    name: 'no-route-to-the-router',
    breaks: 'The Ingress has no path to the agent router.',
    object: 'Ingress/slate-ingress',
    settleMs,
    change: ingress(({ rules }) => {
      rules[0].http.paths = rules[0].http.paths.filter(({ path }) => path !== '/api/agents')
    }),
    caughtBy: below('/api/agents'),
    neighbours: [below('/api/bridge'), refuses('/api/workflow')],
  },
  {
    name: 'route-to-the-wrong-service',
    breaks: 'The path of the workflow manager leads to the copilot bridge.',
    object: 'Ingress/slate-ingress',
    settleMs,
    change: ingress((spec) => {
      pathOf(spec, '/api/workflow').backend.service = {
        name: 'slate-copilot-bridge-svc',
        port: { number: 8083 },
      }
    }),
    caughtBy: refuses('/api/workflow'),
    neighbours: [refuses('/api/bridge'), refuses('/')],
  },
  {
    name: 'route-by-rules-of-the-controller',
    breaks: 'Which paths below its own the copilot bridge gets is up to the ingress controller.',
    object: 'Ingress/slate-ingress',
    settleMs,
    change: ingress((spec) => {
      pathOf(spec, '/api/bridge').pathType = 'ImplementationSpecific'
    }),
    caughtBy:
      'slate-routing: routes › the Ingress has the stated class and host, and the stated paths in order',
    neighbours: [sibling('/api/agents'), below('/api/bridge')],
  },
  {
    name: 'another-host',
    breaks: 'SLATE is served under another name.',
    object: 'Ingress/slate-ingress',
    settleMs,
    change: ingress(({ rules }) => {
      rules[0].host = 'other.local'
    }),
    caughtBy: 'slate-routing: routes › the host may be written in capitals and with a port',
    neighbours: [answers('slate-dashboard-svc'), leads('slate-dashboard-svc')],
  },
  {
    name: 'another-ingress-class',
    breaks: 'No controller serves the Ingress.',
    object: 'Ingress/slate-ingress',
    settleMs,
    change: ingress((spec) => {
      spec.ingressClassName = 'other'
    }),
    caughtBy: stated,
    neighbours: [answers('slate-agent-router-svc'), shaped('slate-dashboard-svc')],
  },
  {
    name: 'silence-is-cut-after-half-a-minute',
    breaks: 'The Ingress closes a WebSocket after 30 s without a word.',
    object: 'Ingress/slate-ingress',
    settleMs,
    change: ingress((_, { metadata }) => {
      metadata.annotations = {
        ...metadata.annotations,
        'nginx.ingress.kubernetes.io/proxy-read-timeout': '30',
      }
    }),
    caughtBy: 'slate-websocket: a connection without a word for 70 s stays while routes come and go',
    neighbours: [stated, below('/ws')],
  },
]
