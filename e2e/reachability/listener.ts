/** What a listener answers on. Without an address, TCP ports are open on every one; UDP needs one, from which it answers. */
export interface Listening {
  tcp: readonly number[]
  udp?: readonly { address: string; port: number }[]
}

/** Takes every connection and closes it; sends every datagram back. Perl 5 for Linux with nothing but its core. */
const script = String.raw`
use strict; use Socket;
$SIG{TERM} = sub { exit 0 };
my (@tcp, @udp);
for (@ARGV) {
  my ($protocol, $ip, $port) = split m{/};
  my $udp = $protocol eq "udp";
  socket(my $socket, PF_INET, $udp ? SOCK_DGRAM : SOCK_STREAM, 0) or die "socket: $!";
  setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1);
  bind($socket, sockaddr_in($port, inet_aton($ip))) or die "bind $_: $!";
  if ($udp) { push @udp, $socket } else { listen($socket, 256) or die "listen $_: $!"; push @tcp, $socket }
}
while (1) {
  my $read = "";
  vec($read, fileno($_), 1) = 1 for @tcp, @udp;
  next if select($read, undef, undef, undef) < 0;
  for my $socket (@tcp) { if (vec($read, fileno($socket), 1)) { accept(my $taken, $socket); close $taken } }
  for my $socket (@udp) {
    next unless vec($read, fileno($socket), 1);
    my $sender = recv($socket, my $text, 4096, 0);
    send($socket, $text, 0, $sender) if defined $sender;
  }
}
`

/** The listener as a command line, for a pod or a machine that has perl. */
export const listenCommand = ({ tcp, udp = [] }: Listening): string[] => [
  'perl',
  '-e',
  script,
  ...tcp.map((port) => `tcp/0.0.0.0/${String(port)}`),
  ...udp.map(({ address, port }) => `udp/${address}/${String(port)}`),
]
