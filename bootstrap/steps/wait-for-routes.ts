import { eventually } from '../addons/probing/eventually.ts'
import { getFromHost, type HostAnswer } from '../addons/probing/get-from-host.ts'
import type { KubeClient, KubeObject } from '../kube/client.ts'
import { podReady } from '../kube/conditions/pod-ready.ts'
import { selects } from '../kube/label-selector.ts'
import { ingressRoutes } from '../manifests/ingress-routes.ts'
import type { StepRun } from './step.ts'

/** A path of an Ingress on this machine, and the Service behind it. */
interface Route {
  namespace: string
  service: string
  host: string
  path: string
}

/** How long an ingress controller may take to know of pods that have just become ready, milliseconds; Traefik takes up changes every 2 s. */
const routesMs = 20_000
/** What an ingress answers for a Service without endpoints, or for one that does not answer. */
const nobodyBehind = [502, 503, 504]
/** What Traefik says where it has no route; an application of Go's may say the same, which is why nothing fails by it. */
const noRoute = '404 page not found\n'

/**
 * Waits until every route of these Ingresses is passed on to its Service: when pods are ready, the ingress controller has yet to hear of it.
 * Routes to Services without a ready pod are left out. What is not passed on in the end is told by a warning and is no error, because an
 * application may well answer so by itself.
 * @returns "8 routes answer", "7 of 8 routes answer"; empty when there is none
 */
export async function waitForRoutes(
  kube: Pick<KubeClient, 'list'>,
  objects: readonly KubeObject[],
  options: { ingressUrl: string; warn: (message: string) => void; timeoutMs?: number },
  run: StepRun,
): Promise<string> {
  const { ingressUrl, warn, timeoutMs = routesMs } = options
  const { signal } = run
  const routes = await served(kube, objects, signal)
  if (routes.length === 0) return ''
  let waiting = routes.map((route) => ({ route, words: 'not asked yet' }))
  await eventually(
    async () => {
      const looked = await Promise.all(
        waiting.map(async ({ route }) => {
          const answer = await getFromHost(new URL(route.path, ingressUrl).href, route.host, signal)
          return { route, words: withheld(answer) }
        }),
      )
      waiting = looked.flatMap(({ route, words }) => (words === undefined ? [] : [{ route, words }]))
      const [first] = waiting
      if (!first) return { met: true, value: '' }
      run.progress(`ready; waiting for the ingress: ${first.route.host}${first.route.path} ${first.words}`)
      return { met: false, seen: first.words }
    },
    { timeoutMs, signal, intervalMs: 200 },
  )
  for (const { route, words } of waiting) {
    warn(
      `${route.host}${route.path} ${words} at ${ingressUrl}, although a pod of the Service ${route.namespace}/${route.service} is ready.`,
    )
  }
  const all = String(routes.length)
  return waiting.length === 0
    ? `${all} routes answer`
    : `${String(routes.length - waiting.length)} of ${all} routes answer`
}

/** How an answer shows that the request did not get to the Service; undefined when it did. */
function withheld(answer: HostAnswer): string | undefined {
  if ('error' in answer) return `does not answer (${answer.error})`
  const { status, body } = answer
  return nobodyBehind.includes(status) || (status === 404 && body === noRoute)
    ? `answers ${String(status)}`
    : undefined
}

/** The routes of which a pod is ready, each once. */
async function served(
  kube: Pick<KubeClient, 'list'>,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<Route[]> {
  const routes = routesOf(objects)
  const ready = new Set<string>()
  for (const namespace of new Set(routes.map((route) => route.namespace))) {
    const pods = await kube.list({ apiVersion: 'v1', kind: 'Pod', namespace }, signal)
    const labels = pods.filter((pod) => podReady(pod).met).map(({ metadata }) => metadata.labels ?? {})
    for (const service of objects) {
      if (service.kind !== 'Service' || (service.metadata.namespace ?? '') !== namespace) continue
      const { selector } = service['spec'] as { selector?: Record<string, string> }
      if (selector && labels.some((one) => selects({ matchLabels: selector }, one)))
        ready.add(`${namespace}/${service.metadata.name}`)
    }
  }
  return routes.filter(({ namespace, service }) => ready.has(`${namespace}/${service}`))
}

/** A wildcard stands for any name; a path that is an expression is asked for as far as it is none. */
function routesOf(objects: readonly KubeObject[]): Route[] {
  return ingressRoutes(objects).flatMap(({ namespace, host = 'localhost', path, service }) =>
    service === undefined
      ? []
      : [
          {
            namespace,
            service,
            host: host.replace('*', 'any'),
            path: path.replace(/[([{*?$^\\|].*$/s, '') || '/',
          },
        ],
  )
}
