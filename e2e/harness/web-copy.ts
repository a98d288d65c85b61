import type { Cluster } from './cluster.ts'
import { createNamespace, type TestNamespace } from './namespace.ts'
import { probeImage } from './probe-pod.ts'
import { slateObjects } from './slate-objects.ts'
import { podsWith, type PodOfSlate } from './slate-pods.ts'
import { CheckBroke } from './verdict.ts'
import { startCopy, type CopiedContainer, type CopiedDeployment, type RunningCopy } from './workload-copy.ts'

/** A file that is there as long as the server is well; the rest of what it serves is not touched by that. */
const health = '/tmp/www/health'
const serve = `mkdir -p /tmp/www && hostname > /tmp/www/index.html; trap 'exit 0' TERM; httpd -p 8080 -h /tmp/www`
const stay = 'while true; do sleep 3600 & wait $!; done'

/** Shell of a web server on port 8080 whose page is the pod's name and whose /health is 404 for so many seconds. */
export const wellAt = (seconds: number): string =>
  `${serve}; ${seconds > 0 ? `sleep ${String(seconds)} & wait $!; ` : ''}echo ok > ${health}; ${stay}`

/** The same with a /health that stays 404. */
export const neverWell = `${serve}; ${stay}`

/** Copies of the dashboard in one namespace; leaving the scope deletes it. */
export interface WebCopies extends AsyncDisposable {
  space: TestNamespace
  /** Starts one that runs the shell in place of the dashboard's program; with `wait: false` it need not become ready. */
  start(
    as: string,
    shell: string,
    change: (container: CopiedContainer, deployment: CopiedDeployment) => void,
    wait?: boolean,
  ): Promise<RunningCopy>
}

/**
 * A namespace for copies of the dashboard with its probes, ports and Service, and a small web server in place of its program: SLATE's
 * services are well as long as they run, so that nothing can be seen of what a probe does to an ill one.
 */
export async function startWebCopies(
  cluster: Cluster,
  purpose: string,
  signal: AbortSignal,
): Promise<WebCopies> {
  const { kube, runId } = cluster
  const [objects, space] = await Promise.all([
    slateObjects(cluster, signal),
    createNamespace({ kube, runId, purpose, signal }),
  ])
  return {
    space,
    start: (as, shell, change, wait = true) =>
      startCopy(kube, {
        objects,
        deployment: 'slate-dashboard',
        as,
        namespace: space.name,
        runId,
        signal,
        wait,
        change: (deployment) => {
          const [container] = deployment.spec.template.spec.containers
          if (!container) throw new CheckBroke('The dashboard has no container.')
          container.image = probeImage
          container.command = ['/bin/sh', '-c', shell]
          change(container, deployment)
        },
      }),
    [Symbol.asyncDispose]: () => space[Symbol.asyncDispose](),
  }
}

/** The pods of a copy that are not being deleted, by name. */
export const podsOfCopy = (
  cluster: Pick<Cluster, 'kube'>,
  { deployment, ref }: RunningCopy,
  signal: AbortSignal,
): Promise<PodOfSlate[]> =>
  podsWith(cluster, { namespace: ref.namespace ?? '', labels: deployment.spec.selector.matchLabels }, signal)

/** Makes a server ill or well from now on. @throws CheckBroke when that could not be done */
export async function setHealth(
  { kube }: Pick<Cluster, 'kube'>,
  { name, object }: PodOfSlate,
  well: boolean,
  signal: AbortSignal,
): Promise<void> {
  const shell = well ? `echo ok > ${health}` : `rm ${health}`
  const pod = { namespace: object.metadata.namespace ?? '', name }
  const { exitCode, stderr } = await kube.exec(pod, ['/bin/sh', '-c', shell], { signal })
  if (exitCode !== 0) throw new CheckBroke(`${shell} in ${name}: ${stderr}`)
}

interface Ended {
  reason?: string
  startedAt: string
  finishedAt: string
}

/** How long the container ran before it was restarted, seconds; undefined as long as it was not. */
export function lived({ object }: PodOfSlate): number | undefined {
  const [status] =
    ((object['status'] ?? {}) as { containerStatuses?: { lastState?: { terminated?: Ended } }[] })
      .containerStatuses ?? []
  const ended = status?.lastState?.terminated
  return ended && (Date.parse(ended.finishedAt) - Date.parse(ended.startedAt)) / 1_000
}

/** What the kubelet said about a pod that it killed. */
export async function killings(
  { kube }: Pick<Cluster, 'kube'>,
  pod: PodOfSlate,
  signal: AbortSignal,
): Promise<string> {
  const events = await kube.list(
    {
      apiVersion: 'v1',
      kind: 'Event',
      namespace: pod.object.metadata.namespace ?? '',
      fieldSelector: `involvedObject.uid=${pod.uid},reason=Killing`,
    },
    signal,
  )
  return events.map((event) => String(event['message'])).join('; ')
}
