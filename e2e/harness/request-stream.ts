import { eventually } from './eventually.ts'
import type { ProbePod } from './probe-pod.ts'
import { CheckBroke } from './verdict.ts'

/** What a stream of requests has seen so far. */
export interface StreamTally {
  answered: number
  /** Body of an answer, which names the pod → how often it came. */
  bodies: Record<string, number>
  /** One line for each request without a good answer: `HH:MM:SS reason`. */
  failures: string[]
}

/** One client that asks without end. */
export interface RequestStream {
  tally(signal: AbortSignal): Promise<StreamTally>
  /** Ends it and returns what it saw in all. @throws CheckBroke when the client is gone, or sent nothing */
  stop(signal: AbortSignal): Promise<StreamTally>
}

/**
 * Starts a client in a probe pod that sends one GET after the other, each on a new connection and at most 2 s long, with a pause of 20 ms.
 * A refused connection, silence, a status other than 2xx and an answer that breaks off count as failures. It begins when the address has
 * answered once: a node serves a new Service a moment after its pods are ready. `name` is one word, of its own in the pod.
 * @throws ExpectationFailed when the address does not answer within 30 s
 */
export async function startRequestStream(
  pod: ProbePod,
  options: { name: string; url: string; signal: AbortSignal },
): Promise<RequestStream> {
  const { name, url, signal } = options
  const folder = `/tmp/${name}`
  await eventually(
    `${url} answers before the requests that count`,
    async (stop) => {
      const outcome = await pod.http(url, { timeoutSeconds: 2, signal: stop })
      const status = outcome.kind === 'answered' ? outcome.status : undefined
      return {
        ok: status !== undefined && status >= 200 && status < 300,
        seen: status === undefined ? outcome.kind : String(status),
      }
    },
    { timeoutMs: 30_000, intervalMs: 200, signal },
  )
  await pod.sh(
    `mkdir ${folder} && cd ${folder} && : > answers && : > failures && (${loop(url)}) >/dev/null 2>&1 </dev/null &`,
    signal,
  )
  const tally = async (stop: AbortSignal): Promise<StreamTally> =>
    readTally(await pod.sh(`cd ${folder} && sort answers | uniq -c && echo ${mark} && cat failures`, stop))
  return {
    tally,
    async stop(stop) {
      await pod.sh(
        `cd ${folder} && touch stop && n=0; while [ ! -e stopped ] && [ $n -lt 200 ]; do usleep 100000; n=$((n+1)); done; [ -e stopped ]`,
        stop,
      )
      const seen = await tally(stop)
      if (seen.answered + seen.failures.length === 0) throw new CheckBroke(`The client ${name} sent nothing.`)
      return seen
    },
  }
}

const mark = 'failures:'

/**
 * `timeout` and not `wget -T`, with which busybox 1.35 crashes; exit 143 is a request that took longer. Fifteen
 * seconds: one that went to a pod which is gone never comes back, while one on a machine at its limit takes two now and then.
 */
const loop = (url: string): string =>
  [
    'while [ ! -e stop ]; do',
    `if timeout 15 wget -q -O body ${url} 2>error; then cat body >> answers;`,
    'else echo "$(date +%T) exit $? $(cat error)" >> failures; fi;',
    'usleep 20000; done; touch stopped',
  ].join(' ')

/** Reads the output of `uniq -c`, the mark, and the failures. @throws CheckBroke when the mark is missing */
export function readTally(output: string): StreamTally {
  const lines = output.split('\n').filter((line) => line !== '')
  const at = lines.indexOf(mark)
  if (at === -1) throw new CheckBroke(`The client's files cannot be read: ${output.slice(0, 200)}`)
  const bodies: Record<string, number> = {}
  for (const line of lines.slice(0, at)) {
    const [, times = '0', body = ''] = /^ *(\d+) (.*)$/.exec(line) ?? []
    bodies[body] = (bodies[body] ?? 0) + Number(times)
  }
  return {
    answered: Object.values(bodies).reduce((sum, times) => sum + times, 0),
    bodies,
    failures: lines.slice(at + 1),
  }
}
