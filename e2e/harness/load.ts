import type { KubeClient } from '../../bootstrap/kube/client.ts'
import { pause } from '../../bootstrap/kube/pause.ts'
import type { ProbePod } from './probe-pod.ts'
import { CheckBroke } from './verdict.ts'

/** Work that keeps the pods of some Deployments busy. Leaving its scope ends it. */
export interface Load extends AsyncDisposable {
  /** How it is made, for the report. */
  kind: string
  /** From now on so many thousandths of a CPU in all pods of each target together; 0 is quiet. Takes effect within `lagMs`. */
  set(millicores: number, signal: AbortSignal): Promise<void>
  lagMs: number
  /** What came of it so far, one sentence for each target. @throws CheckBroke when a target got none of it */
  tally(signal: AbortSignal): Promise<string>
}

/** A Service in front of a service of SLATE whose load endpoint is on. */
export interface RequestTarget {
  /** One word, of its own among the targets. */
  name: string
  /** `http://ADDRESS:PORT` */
  url: string
}

/** Requests to each target per second; each burns a part of what is asked for. */
const perSecond = 5

/**
 * Load by requests from a probe pod: POST `/api/status/burn?ms=…`, each on a new connection, so that the Service spreads them over all
 * pods that are ready, new ones included.
 */
export async function requestLoad(
  pod: ProbePod,
  { targets, signal }: { targets: readonly RequestTarget[]; signal: AbortSignal },
): Promise<Load> {
  for (const { name, url } of targets) await pod.sh(startScript(name, url), signal)
  const each = (script: (name: string) => string): string =>
    targets.map(({ name }) => script(name)).join('; ')
  return {
    kind: `${String(perSecond)} requests a second to /api/status/burn through the Service`,
    lagMs: 1_000,
    async set(millicores, stop) {
      const ms = String(Math.round(millicores / perSecond))
      await pod.sh(
        each((name) => `echo ${ms} > /tmp/${name}/next && mv /tmp/${name}/next /tmp/${name}/ms`),
        stop,
      )
    },
    async tally(stop) {
      const output = await pod.sh(
        each(
          (name) => `cd /tmp/${name}; echo ${name} $(wc -c < answered) $(wc -c < failed) "$(tail -n 1 said)"`,
        ),
        stop,
      )
      return readTally(output)
    },
    async [Symbol.asyncDispose]() {
      await pod
        .sh(
          each((name) => `touch /tmp/${name}/stop`),
          AbortSignal.timeout(10_000),
        )
        .catch(() => undefined)
    },
  }
}

const startScript = (name: string, url: string): string =>
  `mkdir /tmp/${name} && cd /tmp/${name} && echo 0 > ms && : > answered && : > failed && : > said && ` +
  `(while [ ! -e stop ]; do ms=$(cat ms); [ "$ms" -gt 0 ] && (${burn(url)}) & usleep ${String(1_000_000 / perSecond)}; done) ` +
  '>/dev/null 2>&1 </dev/null &'

// With a time-out of its own (-T) this wget dies of a segmentation fault.
const burn = (url: string): string =>
  `if timeout 5 wget -q -O /dev/null --post-data burn "${url}/api/status/burn?ms=$ms" 2>>said; then printf . >> answered; else printf . >> failed; fi`

/** Reads `NAME ANSWERED FAILED LAST WORDS` of each target. @throws CheckBroke when a target answered nothing, or there is none */
export function readTally(output: string): string {
  const rows = output
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [, name = '', answered = '', failed = '', said = ''] =
        /^(\S+) (\d+) (\d+) ?(.*)$/.exec(line) ?? []
      return name === '' ? [] : [{ name, answered: Number(answered), failed: Number(failed), said }]
    })
  if (rows.length === 0) throw new CheckBroke(`The load cannot be counted: ${output.slice(0, 200)}`)
  const silent = rows.find(({ answered }) => answered === 0)
  if (silent) throw new CheckBroke(`${silent.name} answered no request of the load: ${silent.said}`)
  return rows
    .map(({ name, answered, failed }) => `${name}: ${String(answered)} answered, ${String(failed)} not`)
    .join('; ')
}

/** Pods that are kept busy from inside. */
export interface ExecTarget {
  name: string
  namespace: string
  labelSelector: string
}

/** How long one program burns before the next is started, seconds; after that long at the latest the load is off. */
const leaseSeconds = 5
/** Distance between looks at whether there is something to burn, milliseconds. */
const idleMs = 200

/**
 * Uses `share` of one CPU for some seconds, by its own count of CPU time: `node -e SCRIPT SHARE SECONDS`. It ends by itself, for a program
 * that was started in a container outlives the connection that started it.
 */
export const burnScript = `
const [share, seconds] = process.argv.slice(1).map(Number)
const begin = Date.now()
const end = begin + seconds * 1000
const usedMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
const turn = () => {
  while (Date.now() < end && usedMs() < share * (Date.now() - begin));
  if (Date.now() < end) setTimeout(turn, 50)
}
turn()
`

/**
 * Load by a program inside the pods, for services whose load endpoint is off: it needs no request, passes no policy and takes no pod of a
 * quota. The oldest `spread` pods of each target share it, so that new pods lower the average as they do behind a Service.
 */
export function execLoad(
  kube: Pick<KubeClient, 'exec' | 'list'>,
  { targets, spread, signal }: { targets: readonly ExecTarget[]; spread: number; signal: AbortSignal },
): Load {
  let wanted = 0
  const stop = new AbortController()
  const running = AbortSignal.any([signal, stop.signal])
  const counts = new Map(targets.map(({ name }) => [name, { done: 0, failed: 0, said: '' }]))

  /** Whether any program ran. */
  const lease = async ({ name, namespace, labelSelector }: ExecTarget): Promise<boolean> => {
    const pods = await kube.list({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector }, running)
    const oldest = pods
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .sort((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''))
      .slice(0, spread)
    const share = String(Math.min(0.95, wanted / 1000 / Math.max(1, oldest.length)))
    const results = await Promise.allSettled(
      oldest.map((pod) =>
        kube.exec(
          { namespace, name: pod.metadata.name },
          ['node', '-e', burnScript, share, String(leaseSeconds)],
          { signal: running },
        ),
      ),
    )
    const failures = results.flatMap((result) =>
      result.status === 'rejected'
        ? [String(result.reason)]
        : result.value.exitCode === 0
          ? []
          : [result.value.stderr.slice(-200)],
    )
    const count = counts.get(name) ?? { done: 0, failed: 0, said: '' }
    counts.set(name, {
      done: count.done + results.length - failures.length,
      failed: count.failed + failures.length,
      said: failures.at(-1) ?? count.said,
    })
    return failures.length < results.length
  }
  const loop = async (target: ExecTarget): Promise<void> => {
    while (!running.aborted) {
      if (wanted === 0) await pause(idleMs, running)
      else if (!(await lease(target))) await pause(idleMs, running)
    }
  }
  const loops = Promise.allSettled(targets.map(loop))

  return {
    kind: `a program in the ${String(spread)} oldest pods, for the load endpoint is off`,
    lagMs: leaseSeconds * 1000,
    set(millicores) {
      wanted = millicores
      return Promise.resolve()
    },
    tally() {
      const silent = [...counts].find(([, { done }]) => done === 0)
      if (silent) throw new CheckBroke(`No program of the load ran in ${silent[0]}: ${silent[1].said}`)
      return Promise.resolve(
        [...counts]
          .map(
            ([name, { done, failed }]) =>
              `${name}: ${String(done)} programs ended well, ${String(failed)} not`,
          )
          .join('; '),
      )
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await loops
    },
  }
}
