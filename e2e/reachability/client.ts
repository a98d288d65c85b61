import type { ExecResult } from '../../bootstrap/kube/client.ts'
import { CheckBroke } from '../harness/verdict.ts'

/** Where to knock. `udp` sends a DNS question and waits for any answer to it. */
export interface Dial {
  protocol: 'TCP' | 'UDP'
  address: string
  port: number
  /** Own address to start from; the system's choice without it. */
  from?: string
}

/** What a new connection did. `connected` for UDP means that an answer came. */
export type Outcome = 'connected' | 'refused' | 'reset' | 'timeout' | 'unreachable'

export interface DialOptions {
  /** How many times everything is dialled, one after the other, each time on new sockets. */
  passes: number
  /** For each pass, milliseconds. Above 1000 a lost first packet is sent again (RFC 6298). */
  timeoutMs: number
}

const endMark = 'local-cloud-dial-end'

/**
 * Perl 5 for Linux with nothing but its core: in Debian and Ubuntu, hence in the images of SLATE, Ollama and Chroma and in the nodes.
 * Dials everything at once and waits in `select`, which looks once more at the end: a client that the processor kept waiting does not
 * take what has long arrived for silence.
 */
const script = String.raw`
use strict; use Socket; use Fcntl; use Errno qw(EINPROGRESS ECONNREFUSED ECONNRESET EHOSTUNREACH ENETUNREACH ETIMEDOUT);
$| = 1;
my ($passes, $limit, @dials) = @ARGV;
my $question = pack("n6", 4660, 256, 1, 0, 0, 0) . "\x0akubernetes\x07default\x03svc\x07cluster\x05local\x00" . pack("n2", 1, 1);
sub kind {
  my $error = shift;
  return "refused" if $error == ECONNREFUSED;
  return "reset" if $error == ECONNRESET;
  return "unreachable" if $error == EHOSTUNREACH || $error == ENETUNREACH;
  return "timeout" if $error == ETIMEDOUT;
  local $! = $error;
  return "broken:$!";
}
for my $pass (1 .. $passes) {
  my (%open, @kind);
  for my $i (0 .. $#dials) {
    my ($protocol, $ip, $port, $from) = split m{/}, $dials[$i];
    my $udp = $protocol eq "udp";
    my $socket;
    if (!socket($socket, PF_INET, $udp ? SOCK_DGRAM : SOCK_STREAM, 0)) { $kind[$i] = kind($!); next }
    if (defined $from && !bind($socket, sockaddr_in(0, inet_aton($from)))) { $kind[$i] = kind($!); next }
    fcntl($socket, F_SETFL, O_NONBLOCK);
    if (!connect($socket, sockaddr_in($port, inet_aton($ip))) && $! != EINPROGRESS) { $kind[$i] = kind($!); next }
    if ($udp && !defined send($socket, $question, 0)) { $kind[$i] = kind($!); next }
    $open{$i} = [$socket, $udp];
  }
  my $left = $limit / 1000;
  while (%open) {
    my ($read, $write) = ("", "");
    for my $i (keys %open) {
      my ($socket, $udp) = @{$open{$i}};
      if ($udp) { vec($read, fileno($socket), 1) = 1 } else { vec($write, fileno($socket), 1) = 1 }
    }
    my $slice = $left > 0.4 ? 0.4 : $left;
    my ($ready, $rest) = select(my $r = $read, my $w = $write, undef, $slice);
    next if $ready < 0;
    $left -= $slice - $rest;
    if ($ready == 0) {
      last if $left <= 0.001;
      for my $i (keys %open) { send($open{$i}[0], $question, 0) if $open{$i}[1] }
      next;
    }
    for my $i (keys %open) {
      my ($socket, $udp) = @{$open{$i}};
      if ($udp) {
        next unless vec($r, fileno($socket), 1);
        my $answer;
        if (!defined recv($socket, $answer, 4096, 0)) { $kind[$i] = kind($!) }
        elsif (unpack("n", $answer) == 4660) { $kind[$i] = "connected" }
        else { next }
      } else {
        next unless vec($w, fileno($socket), 1);
        my $error = unpack("i", getsockopt($socket, SOL_SOCKET, SO_ERROR));
        $kind[$i] = $error == 0 ? "connected" : kind($error);
      }
      delete $open{$i};
    }
  }
  $kind[$_] = "timeout" for keys %open;
  print join("\t", $pass, @kind), "\n";
}
print "${endMark}\n";
`

/** The client as a command line, for a pod, a node or a machine that has perl. */
export const dialCommand = (dials: readonly Dial[], { passes, timeoutMs }: DialOptions): string[] => [
  'perl',
  '-e',
  script,
  String(passes),
  String(timeoutMs),
  ...dials.map(({ protocol, address, port, from }) =>
    [protocol.toLowerCase(), address, String(port), ...(from === undefined ? [] : [from])].join('/'),
  ),
]

const outcomes: readonly string[] = ['connected', 'refused', 'reset', 'timeout', 'unreachable']

/**
 * What the client saw: per pass, one outcome per dial.
 * @throws CheckBroke when it did not run to its end or could not open a socket, for then the network said nothing
 */
export function readDials(
  who: string,
  { exitCode, stdout, stderr }: ExecResult,
  dials: readonly Dial[],
  passes: number,
): Outcome[][] {
  const lines = stdout.trimEnd().split('\n')
  if (lines.at(-1) !== endMark || lines.length !== passes + 1) {
    const said = `${stdout}\n${stderr}`.trim().slice(-400)
    throw new CheckBroke(`The client in ${who} did not run to its end (exit ${String(exitCode)}): ${said}`)
  }
  return lines.slice(0, -1).map((line) => {
    const kinds = line.split('\t').slice(1)
    const bad = kinds.find((kind) => !outcomes.includes(kind))
    if (bad !== undefined || kinds.length !== dials.length) {
      throw new CheckBroke(`The client in ${who} could not dial: ${bad ?? line}`)
    }
    return kinds as Outcome[]
  })
}

/** A command by which a person sees the same, to be put behind `kubectl exec … --`: 0 is open, 124 is silence. */
export const dialByHand = ({ protocol, address, port }: Dial): string =>
  `timeout 2 bash -c '${protocol === 'TCP' ? `exec 3<>/dev/tcp/${address}/${String(port)}` : dnsByHand(address, port)}'`

const dnsByHand = (address: string, port: number): string =>
  String.raw`exec 3<>/dev/udp/${address}/${String(port)}; printf "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\0\0\x02\0\x01" >&3; head -c 12 <&3 >/dev/null`
