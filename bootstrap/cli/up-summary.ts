import { capabilityLines, type Capability } from '../existing/capabilities.ts'
import type { KubeObject } from '../kube/client.ts'
import { ingressRoutes } from '../manifests/ingress-routes.ts'
import { systemWords } from '../manifests/system-choice.ts'
import type { Plan } from '../plan/plan.ts'
import { duration } from '../report/duration.ts'

/** What `up` tells at its end, as data: the result with `--json`. */
export interface UpSummary {
  type: 'result'
  command: 'up'
  cluster: string
  /** Whether anything was changed. */
  changed: boolean
  ms: number
  kubeconfig: string
  urls: ServedUrl[]
  images: { source: string; why: string } | undefined
  /** What an existing cluster has; absent for a cluster of ours. */
  capabilities?: Capability[]
  systems: { name: string; environment: string; choices?: Record<string, string>; namespaces: string[] }[]
  notes: string[]
}

export interface ServedUrl {
  url: string
  /** Service behind it. */
  service: string
  /** A command that reaches it without the name being known to the machine. */
  curl: string
}

/** Where the Ingresses among these objects answer; none where nobody told how an existing cluster is reached. Pure. */
export function servedUrls(
  objects: readonly KubeObject[],
  plan: Pick<Plan, 'httpPort' | 'listenAddress' | 'ingressUrl'> & Partial<Pick<Plan, 'provider'>>,
): ServedUrl[] {
  if (plan.provider === 'existing' && plan.ingressUrl === undefined) return []
  const { scheme, address, port } = endOf(plan)
  const suffix = port === (scheme === 'https' ? '443' : '80') ? '' : `:${port}`
  return ingressRoutes(objects).map(({ host, path, service = '' }) => {
    const url = `${scheme}://${host ?? address}${suffix}${path}`
    const resolve = host === undefined ? '' : `--resolve ${host}:${port}:${address} `
    return { url, service, curl: `curl ${resolve}${url}` }
  })
}

/** Where the ingress answers: on ports of this machine, or where the user said for an existing cluster. */
function endOf({
  httpPort,
  listenAddress,
  ingressUrl,
}: Pick<Plan, 'httpPort' | 'listenAddress' | 'ingressUrl'>): {
  scheme: string
  address: string
  port: string
} {
  if (ingressUrl === undefined) {
    const address = ['0.0.0.0', '::'].includes(listenAddress) ? '127.0.0.1' : listenAddress
    return { scheme: 'http', address, port: String(httpPort) }
  }
  const { protocol, hostname, port } = new URL(ingressUrl)
  const scheme = protocol.slice(0, -1)
  return { scheme, address: hostname, port: port === '' ? (scheme === 'https' ? '443' : '80') : port }
}

/** Namespaces that the objects live in. */
export function namespacesOf(objects: readonly KubeObject[]): string[] {
  return [...new Set(objects.flatMap((object) => object.metadata.namespace ?? []))].sort()
}

/** The summary as people read it. */
export function summaryText(summary: UpSummary): string {
  const { cluster, systems, urls, images, kubeconfig, notes } = summary
  const what = systems
    .map(({ name, environment, choices = {} }) => systemWords({ system: name, environment, choices }))
    .join(', ')
  const subject = `Cluster ${cluster}${what === '' ? '' : ` with ${what}`}`
  const width = Math.max(0, ...urls.map(({ url }) => url.length))
  const flags = cluster === 'local-cloud' ? '' : ` --name ${cluster}`
  return [
    summary.changed
      ? `${subject} is ready after ${duration(summary.ms)}.`
      : `Nothing to do: ${subject} is ready (looked in ${duration(summary.ms)}).`,
    '',
    ...urls.map(({ url, service }) => `  ${url.padEnd(width)}  ${service}`),
    ...(urls[0] ? [`  From a shell, without changing /etc/hosts:  ${urls[0].curl}`, ''] : []),
    `  kubectl --kubeconfig ${kubeconfig} get pods -n ${systems[0]?.namespaces[0] ?? 'kube-system'}`,
    '',
    ...(images ? [`Images: ${images.source}, because ${images.why}.`] : []),
    ...(summary.capabilities
      ? ['The cluster has:', ...capabilityLines(summary.capabilities).map((line) => `  ${line}`)]
      : []),
    ...notes,
    `Next: npm run e2e${flags === '' ? '' : ` --${flags}`} · npx zx bootstrap/status.mjs${flags} · bootstrap/down${flags}`,
  ].join('\n')
}
