import type { Probe, ProbeContext } from '../../../bootstrap/addons/addon.ts'
import { eventually, type Look } from '../../../bootstrap/addons/probing/eventually.ts'
import { getFromHost, type HostAnswer } from '../../../bootstrap/addons/probing/get-from-host.ts'
import { serviceFor } from '../../../bootstrap/addons/probing/service.ts'
import { startShellPods } from '../../../bootstrap/addons/probing/shell-pods.ts'
import type { KubeObject } from '../../../bootstrap/kube/client.ts'

const text = 'local-cloud ingress probe'
const routeMs = 60_000

/** Through the host's port: a host name with an Ingress answers 200 with what its pod serves, another answers 404. */
export const probe: Probe = async (context) => {
  const { kube, namespace, signal } = context
  const known = `${namespace}.test`
  const className = context.theirs === true ? await theirClass(context) : undefined
  await Promise.all([
    startShellPods(context, [{ name: 'server', serves: text }]),
    kube.apply([serviceFor('server', { name: 'server', namespace }), ingress(namespace, known, className)], {
      signal,
      dryRun: 'skip',
    }),
  ])
  const served = await until(context, known, 200, text)
  if (!served.met) return { result: 'fail', seen: `a known host name, ${known}, ${served.seen}` }
  const unknown = `unknown-${known}`
  const refused = await until(context, unknown, 404, '')
  if (!refused.met) return { result: 'fail', seen: `an unknown host name, ${unknown}, ${refused.seen}` }
  return {
    result: 'pass',
    seen: `${context.ingressUrl} answered 200 for a known host name and 404 for an unknown one`,
  }
}

async function until(
  { ingressUrl, signal }: ProbeContext,
  host: string,
  status: number,
  body: string,
): Promise<Look<string>> {
  return eventually(
    async () => {
      const answer = await getFromHost(ingressUrl, host, signal)
      const ok = 'status' in answer && answer.status === status && answer.body.includes(body)
      return ok
        ? { met: true, value: host }
        : { met: false, seen: `got ${describe(answer, status)} from ${ingressUrl}` }
    },
    { timeoutMs: routeMs, signal },
  )
}

function describe(answer: HostAnswer, status: number): string {
  if ('error' in answer) return `no answer (${answer.error})`
  return answer.status === status ? `${String(status)} with another text` : String(answer.status)
}

/** The class to be named where no class is the default. */
async function theirClass({ kube, signal }: ProbeContext): Promise<string | undefined> {
  const classes = await kube.list({ apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass' }, signal)
  return classes.some(
    ({ metadata }) => metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true',
  )
    ? undefined
    : classes[0]?.metadata.name
}

/** On clusters of ours without a class, so that the default one is proven as well. */
function ingress(namespace: string, host: string, className: string | undefined): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'server', namespace, labels: { 'app.kubernetes.io/managed-by': 'local-cloud' } },
    spec: {
      ...(className === undefined ? {} : { ingressClassName: className }),
      rules: [
        {
          host,
          http: {
            paths: [
              {
                path: '/',
                pathType: 'Prefix',
                backend: { service: { name: 'server', port: { number: 80 } } },
              },
            ],
          },
        },
      ],
    },
  }
}
