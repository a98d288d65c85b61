import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Cluster } from '../harness/cluster.ts'
import { CheckBroke } from '../harness/verdict.ts'
import type { Dial } from './client.ts'
import { peerManifest } from './peer-pod.ts'

/** What a pod that dials from its first instruction on got through. Times are milliseconds since then, exact to 10. */
export interface LeakWindow {
  /** Attempts at each of the two. */
  attempts: number
  /** How long it tried. */
  lastedMs: number
  /** When a connection to the forbidden target got through. */
  leaks: number[]
  /** When the first one to the allowed target did; absent when none did. */
  firstAllowedMs?: number
}

/**
 * One new connection to each target every 20 ms; none is waited for longer than 400 ms, so that each is one packet. Perl 5 with nothing
 * but its core, which has no clock finer than a second; the kernel's uptime has.
 */
const script = String.raw`
use strict; use Socket; use Fcntl; use Errno qw(EINPROGRESS);
sub now { open my $file, "<", "/proc/uptime" or die "uptime: $!"; my ($seconds) = split / /, <$file>; return int($seconds * 1000 + 0.5) }
my $start = now();
my ($limit, @targets) = @ARGV;
my (@open, @through, $attempts);
while ((my $at = now() - $start) < $limit) {
  $attempts++;
  for my $i (0 .. $#targets) {
    my ($ip, $port) = split m{/}, $targets[$i];
    socket(my $socket, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
    fcntl($socket, F_SETFL, O_NONBLOCK);
    if (connect($socket, sockaddr_in($port, inet_aton($ip)))) { push @{$through[$i]}, $at }
    elsif ($! == EINPROGRESS) { push @open, [$socket, $i, $at] }
  }
  my $write = "";
  vec($write, fileno($_->[0]), 1) = 1 for @open;
  select(undef, my $ready = $write, undef, 0);
  @open = grep {
    my ($socket, $i, $since) = @$_;
    my $done = vec($ready, fileno($socket), 1);
    push @{$through[$i]}, $since if $done && unpack("i", getsockopt($socket, SOL_SOCKET, SO_ERROR)) == 0;
    !$done && now() - $start - $since < 400;
  } @open;
  select(undef, undef, undef, 0.02);
}
printf "{\"attempts\":%d,\"lastedMs\":%d,\"through\":[%s]}\n", $attempts, now() - $start,
  join ",", map { "[" . join(",", @{$through[$_] || []}) . "]" } 0 .. $#targets;
`

const shape = z.object({
  attempts: z.number(),
  lastedMs: z.number(),
  through: z.tuple([z.array(z.number()), z.array(z.number())]),
})

/**
 * Starts a pod whose first program does nothing but dial, and returns what got through. Policies that were there before have to hold
 * "from the very first instant that any container in that Pod is started" (Kubernetes, Network Policies, Pod lifecycle).
 * @throws CheckBroke when the pod did not run to its end
 */
export async function measureLeak(
  { kube, runId }: Pick<Cluster, 'kube' | 'runId'>,
  options: {
    namespace: string
    image: string
    labels: Record<string, string>
    /** RuntimeClass of the pod; the node's own runtime without it. */
    runtimeClass?: string
    forbidden: Dial
    allowed: Dial
    lastingMs: number
    signal: AbortSignal
  },
): Promise<LeakWindow> {
  const { namespace, image, labels, runtimeClass, forbidden, allowed, lastingMs, signal } = options
  const name = `starting-${randomBytes(3).toString('hex')}`
  const to = ({ address, port }: Dial): string => `${address}/${String(port)}`
  const command = ['perl', '-e', script, String(lastingMs), to(forbidden), to(allowed)]
  const pod = peerManifest({ namespace, image, labels, name, runId, command })
  Object.assign(pod['spec'] as object, {
    restartPolicy: 'Never',
    ...(runtimeClass === undefined ? {} : { runtimeClassName: runtimeClass }),
  })
  await kube.apply([pod], { signal, dryRun: 'skip' })
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace, name }
  await kube.waitFor(
    ref,
    (one) => {
      const phase = (one?.['status'] as { phase?: string } | undefined)?.phase ?? 'no pod'
      return { met: phase === 'Succeeded', seen: phase, fatal: phase === 'Failed' }
    },
    { timeoutMs: 60_000, signal },
  )
  const log = await kube.logs({ namespace, name }, signal)
  const read = shape.safeParse(parsed(log))
  if (!read.success) throw new CheckBroke(`The pod ${namespace}/${name} said: ${log.trim()}`)
  const { attempts, lastedMs, through } = read.data
  const [leaks, allowedAt] = through
  const first = allowedAt[0]
  return { attempts, lastedMs, leaks, ...(first === undefined ? {} : { firstAllowedMs: first }) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
