export type Protocol = 'TCP' | 'UDP' | 'SCTP'

export interface PodPort {
  name?: string
  containerPort: number
  protocol?: Protocol
}

/** A pod as policies see it: where it is, what its labels are, and which of its ports have names. */
export interface PodEnd {
  kind: 'pod'
  namespace: string
  name: string
  labels: Readonly<Record<string, string>>
  ports?: readonly PodPort[]
}

/** Anything that is no pod of the cluster network: a machine, a node, a pod in the network of its node. */
export interface AddressEnd {
  kind: 'address'
  ip: string
}

/** One end of a connection. */
export type End = PodEnd | AddressEnd

/** A new connection, as it is after a Service has been resolved to one of its pods. */
export interface Connection {
  from: End
  to: End
  protocol: Protocol
  port: number
}

/** `slate/ollama-0`, or the address. */
export const endName = (end: End): string => (end.kind === 'pod' ? `${end.namespace}/${end.name}` : end.ip)
