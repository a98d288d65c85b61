import { requireFreePorts } from './free-ports.ts'

/** Where the ingress of a cluster listens on this machine. */
export interface IngressPorts {
  listenAddress: string
  httpPort: number
  httpsPort: number
}

/** Both ports with the flags that choose them. */
export const ingressPortsOf = ({
  httpPort,
  httpsPort,
}: Pick<IngressPorts, 'httpPort' | 'httpsPort'>): { flag: string; port: number }[] => [
  { flag: 'http-port', port: httpPort },
  { flag: 'https-port', port: httpsPort },
]

/** @throws LocalCloudError PORT_TAKEN for the first ingress port that is bound and not in `except`; BAD_VALUE for an address that is not ours. */
export const requireIngressPorts = (
  ports: IngressPorts,
  except: ReadonlySet<number> = new Set(),
): Promise<void> =>
  requireFreePorts(
    ingressPortsOf(ports).filter(({ port }) => !except.has(port)),
    ports.listenAddress,
  )
