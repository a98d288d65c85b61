import { effectsOf, type Adaptation } from '../host/adaptations.ts'

/** What podman says about itself, as far as it decides our configuration. */
export interface PodmanFacts {
  backend: 'cni' | 'netavark'
  /** The CNI plugin that makes container names resolve. */
  dnsnamePlugin: boolean
  /** Both netavark and aardvark-dns are installed. */
  netavark: boolean
  /** A network of ours is configured for netavark already, whatever podman's own choice is. */
  ownNetavarkNetworks: boolean
  /** Containers that exist, running or not. */
  containers: number
}

/**
 * Whether our podman commands must name the netavark backend: podman stays with CNI for ever once it has started without
 * netavark, and CNI without its dnsname plugin resolves no container names. A change is safe only while no container uses a network.
 */
export const mustNameNetavark = (facts: PodmanFacts): boolean =>
  facts.backend === 'cni' &&
  facts.netavark &&
  (facts.ownNetavarkNetworks || (!facts.dnsnamePlugin && facts.containers === 0))

/** Whether names of containers resolve on a network made with the configuration that `mustNameNetavark` leads to. */
export const resolvesNames = (facts: PodmanFacts): boolean =>
  facts.backend === 'netavark' || mustNameNetavark(facts) ? facts.netavark : facts.dnsnamePlugin

/** Whether installing netavark and aardvark-dns would make names resolve that do not. */
export const canLearnNames = (facts: PodmanFacts): boolean =>
  !resolvesNames(facts) && resolvesNames({ ...facts, netavark: true })

/** Whether podman has to be configured for this host, beyond what every node needs. */
export const needsConfiguration = (adaptations: readonly Adaptation[], netavark: boolean): boolean =>
  netavark ||
  adaptations.some(({ effect }) => effect.kind === 'engine-ulimits' || effect.kind === 'engine-cgroups')

/**
 * Text of a containers.conf (containers.conf(5)) with what every node needs and what this host does. A node is one container, and everything
 * in the cluster is in it: podman's default of 2048 processes is reached with some sixty pods, whose forks are then refused at random.
 */
export function containersConf(adaptations: readonly Adaptation[], netavark: boolean): string {
  const [ulimits] = effectsOf(adaptations, 'engine-ulimits')
  const [cgroups] = effectsOf(adaptations, 'engine-cgroups')
  const sections = [
    [
      '[containers]',
      'pids_limit = 0',
      ...(ulimits
        ? [`default_ulimits = ["nofile=${pair(ulimits.nofile)}", "nproc=${pair(ulimits.nproc)}"]`]
        : []),
    ],
    cgroups && ['[engine]', `runtime = "${cgroups.runtime}"`, `cgroup_manager = "${cgroups.cgroupManager}"`],
    netavark && ['[network]', 'network_backend = "netavark"'],
  ].filter((section) => Array.isArray(section))
  return `${['# Written by local-cloud; remove the folder to have it written anew.', ...sections.map((lines) => lines.join('\n'))].join('\n\n')}\n`
}

const pair = (limit: number): string => `${String(limit)}:${String(limit)}`
