import type { ExecResult } from '../../bootstrap/kube/client.ts'

/**
 * What a client in a pod found out about a TCP port. `connected`, `refused`, `timeout` and `unreachable` are answers of the network;
 * `dns-failure` means that the name did not resolve, `could-not-run` that nothing was tried, and neither may be read as "blocked".
 */
export type ConnectKind =
  'connected' | 'refused' | 'timeout' | 'unreachable' | 'dns-failure' | 'could-not-run'

export interface ConnectOutcome {
  kind: ConnectKind
  /** What the client said, for people. */
  detail: string
}

/** What a client in a pod got for an HTTP request. */
export type PodHttpOutcome =
  | { kind: 'answered'; status: number; headers: Record<string, string>; body: string }
  | { kind: Exclude<ConnectKind, 'connected'>; detail: string }

/** Last line of every client; without it the client did not run to its end. */
const endMark = 'local-cloud-probe-end'
const connectedMark = 'local-cloud-probe-connected'

/**
 * POSIX shell for busybox 1.35 (`nc`, `nslookup`, `wget`, `timeout`, `sed`), run as `sh -c SCRIPT probe MODE HOST PORT SECONDS …`.
 * Names are resolved first, on their own, so that a resolver that is cut off is not taken for a port that is closed; a slow one has 10 s at
 * least, for that is not what is measured. `nc -e` is used
 * because it runs its program only once the connection stands. `timeout` ends a hanging client with exit code 143.
 */
export const probeScript = `
mode=$1 host=$2 port=$3 limit=$4
shift 4
case $host in
  *[!0-9.]*)
    answer=$(timeout $((limit > 10 ? limit : 10)) nslookup -type=a "$host" 2>&1 </dev/null)
    code=$?
    address=$(printf '%s\\n' "$answer" | sed -n '/^Name:/,$s/^Address[ 0-9]*: *//p' | sed -n 1p)
    if [ -z "$address" ]; then
      printf '%s\\n' "$answer"
      echo "${endMark} dns $code"
      exit 0
    fi
    ;;
  *) address=$host ;;
esac
case $mode in
  tcp)
    timeout $((limit + 1)) nc -w "$limit" "$address" "$port" -e /bin/sh -c 'echo ${connectedMark} >&2' </dev/null 2>&1
    code=$?
    ;;
  http)
    path=$1
    shift
    timeout "$limit" wget -q -S -O - --header "Host: $host:$port" "$@" "http://$address:$port$path" </dev/null 2>&1
    code=$?
    ;;
esac
echo
echo "${endMark} $mode $code"
`

interface Ended {
  stage: string
  code: number
  output: string
}

function ending(result: ExecResult): Ended | string {
  const match = new RegExp(`\\n?${endMark} (\\w+) (\\d+)\\s*$`).exec(result.stdout)
  if (!match) {
    const said = `${result.stdout}\n${result.stderr}`.trim()
    return `the client did not run to its end (exit ${String(result.exitCode)})${said === '' ? '' : `: ${said}`}`
  }
  return { stage: match[1] ?? '', code: Number(match[2]), output: result.stdout.slice(0, match.index) }
}

/** Whether the client ran and said what it found, which a program that was not started or was cut off does not. */
export const ranToItsEnd = (result: ExecResult): boolean => typeof ending(result) !== 'string'

function networkFailure({ stage, code, output }: Ended): {
  kind: Exclude<ConnectKind, 'connected'>
  detail: string
} {
  const detail = output.trim().split('\n').at(-1)?.trim() ?? ''
  if (stage === 'dns') {
    // A resolver that says NXDOMAIN and one that is silent are both DNS failures; a client that is not there is neither.
    const missing =
      code === 126 || code === 127 || /not found$|applet not found|invalid option|^usage:/im.test(output)
    return {
      kind: missing ? 'could-not-run' : 'dns-failure',
      detail: output.trim() || `nslookup ended with ${String(code)}`,
    }
  }
  if (code === 143 || code === 124 || /timed out/i.test(output))
    return { kind: 'timeout', detail: detail || 'no answer in time' }
  if (/connection refused/i.test(output)) return { kind: 'refused', detail }
  if (/unreachable|no route to host/i.test(output)) return { kind: 'unreachable', detail }
  if (/bad address/i.test(output)) return { kind: 'dns-failure', detail }
  return { kind: 'could-not-run', detail: detail || `the client ended with ${String(code)} and said nothing` }
}

/** Reads what `probeScript tcp` wrote. */
export function readConnect(result: ExecResult): ConnectOutcome {
  const ended = ending(result)
  if (typeof ended === 'string') return { kind: 'could-not-run', detail: ended }
  if (ended.output.includes(connectedMark)) return { kind: 'connected', detail: 'connected' }
  return networkFailure(ended)
}

/** Reads what `probeScript http` wrote. The body of an answer other than 2xx is not kept by busybox wget, hence empty. */
export function readHttp(result: ExecResult): PodHttpOutcome {
  const ended = ending(result)
  if (typeof ended === 'string') return { kind: 'could-not-run', detail: ended }
  const lines = ended.output.split('\n')
  const first = lines.findIndex((line) => /^ {2}HTTP\/1\.[01] \d{3}/.test(line))
  if (first === -1) return networkFailure(ended)
  const status = Number(/ (\d{3})/.exec(lines[first]?.slice(2) ?? '')?.[1])
  const headers: Record<string, string> = {}
  let at = first + 1
  for (; at < lines.length; at++) {
    const header = /^ {2}([\w-]+): ?(.*)$/.exec((lines[at] ?? '').trimEnd())
    if (!header?.[1]) break
    headers[header[1].toLowerCase()] = header[2] ?? ''
  }
  // An answer that stopped half-way is no answer.
  if (status < 300 && ended.code !== 0) return networkFailure(ended)
  const blank = /^ {0,2}\r?$/.test(lines[at] ?? '') ? 1 : 0
  const body = status < 300 ? lines.slice(at + blank).join('\n') : ''
  return { kind: 'answered', status, headers, body }
}
