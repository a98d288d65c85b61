import { selects, type LabelSelector } from '../../bootstrap/kube/label-selector.ts'
import { inBlock } from './cidr.ts'
import { endName, type Connection, type End, type PodEnd, type Protocol } from './ends.ts'

export interface PolicyPort {
  protocol?: Protocol
  /** Number, or the name of a container's port. Absent: every port of the protocol. */
  port?: number | string
  endPort?: number
}

export interface PolicyPeer {
  podSelector?: LabelSelector
  namespaceSelector?: LabelSelector
  ipBlock?: { cidr: string; except?: readonly string[] }
}

/** The parts of a networking.k8s.io/v1 NetworkPolicy that decide. */
export interface NetworkPolicy {
  metadata: { name: string; namespace?: string }
  spec: {
    podSelector?: LabelSelector
    policyTypes?: readonly string[]
    ingress?: readonly { from?: readonly PolicyPeer[]; ports?: readonly PolicyPort[] }[]
    egress?: readonly { to?: readonly PolicyPeer[]; ports?: readonly PolicyPort[] }[]
  }
}

/** What policies are judged against. */
export interface PolicyWorld {
  policies: readonly NetworkPolicy[]
  /** Namespace → its labels. */
  namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** What the policies say about one end of a connection. */
export interface Side {
  open: boolean
  /** Policies that select the pod in this direction; none means that it is not isolated. */
  isolatedBy: string[]
  /** Those of them that let the connection through. */
  allowedBy: string[]
}

export interface Evaluation {
  open: boolean
  /** Egress of the source. */
  leaving: Side
  /** Ingress of the target. */
  entering: Side
}

/**
 * Whether the NetworkPolicies let a new connection through, by the rules of the Kubernetes API (networking.k8s.io/v1): policies add
 * up, a pod is isolated in a direction as soon as one policy selects it there, and both ends have to agree. Pure.
 *
 * Where the API promises nothing, this reads it so: a pod always reaches itself ("a pod cannot block access to itself"); an ipBlock never
 * selects a pod ("these should be cluster-external IPs"), as Cilium has it; a node's own traffic to its pods is not judged.
 */
export function evaluate(world: PolicyWorld, connection: Connection): Evaluation {
  const { from, to } = connection
  const unheld: Side = { open: true, isolatedBy: [], allowedBy: [] }
  if (from.kind === 'pod' && to.kind === 'pod' && endName(from) === endName(to)) {
    return { open: true, leaving: unheld, entering: unheld }
  }
  const leaving = from.kind === 'pod' ? sideOf(world, 'Egress', from, to, connection) : unheld
  const entering = to.kind === 'pod' ? sideOf(world, 'Ingress', to, from, connection) : unheld
  return { open: leaving.open && entering.open, leaving, entering }
}

/** Why a connection is open or closed, with the names of the policies. */
export function explain(evaluation: Evaluation): string {
  const said = (word: string, side: Side): string => {
    if (side.isolatedBy.length === 0) return `${word} is not restricted`
    if (side.allowedBy.length > 0) return `${word} is allowed by ${side.allowedBy.join(', ')}`
    return `${word} is denied, none of ${side.isolatedBy.join(', ')} allows it`
  }
  return `${said('leaving', evaluation.leaving)}; ${said('entering', evaluation.entering)}`
}

type Direction = 'Ingress' | 'Egress'

function sideOf(
  { policies, namespaces }: PolicyWorld,
  direction: Direction,
  subject: PodEnd,
  peer: End,
  connection: Connection,
): Side {
  const isolating = policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === subject.namespace &&
      typesOf(spec).includes(direction) &&
      selects(spec.podSelector ?? {}, subject.labels),
  )
  const allowing = isolating.filter(({ metadata, spec }) =>
    rulesOf(spec, direction).some(
      ({ peers, ports }) =>
        (peers.length === 0 ||
          peers.some((one) => isPeer(one, peer, metadata.namespace ?? '', namespaces))) &&
        (ports.length === 0 || ports.some((one) => isPort(one, connection))),
    ),
  )
  const nameOf = ({ metadata }: NetworkPolicy): string => metadata.name
  return {
    open: isolating.length === 0 || allowing.length > 0,
    isolatedBy: isolating.map(nameOf).sort(),
    allowedBy: allowing.map(nameOf).sort(),
  }
}

/** Unstated types are Ingress, and Egress too where there is an egress rule (defaulting of the API server). */
const typesOf = ({ policyTypes = [], egress = [] }: NetworkPolicy['spec']): readonly string[] =>
  policyTypes.length > 0 ? policyTypes : egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress']

/** Missing and empty peers or ports mean the same: all of them. */
function rulesOf(
  { ingress = [], egress = [] }: NetworkPolicy['spec'],
  direction: Direction,
): { peers: readonly PolicyPeer[]; ports: readonly PolicyPort[] }[] {
  return direction === 'Ingress'
    ? ingress.map(({ from: peers = [], ports = [] }) => ({ peers, ports }))
    : egress.map(({ to: peers = [], ports = [] }) => ({ peers, ports }))
}

function isPeer(
  { ipBlock, namespaceSelector, podSelector }: PolicyPeer,
  end: End,
  ownNamespace: string,
  namespaces: PolicyWorld['namespaces'],
): boolean {
  if (ipBlock) {
    return (
      end.kind === 'address' &&
      inBlock(end.ip, ipBlock.cidr) &&
      !(ipBlock.except ?? []).some((hole) => inBlock(end.ip, hole))
    )
  }
  if (end.kind === 'address') return false
  const inPlace = namespaceSelector
    ? selects(namespaceSelector, namespaces[end.namespace] ?? {})
    : end.namespace === ownNamespace
  return inPlace && selects(podSelector ?? {}, end.labels)
}

/** A name is looked up among the ports of the target pod, in both directions; a machine has no named ports. */
function isPort({ protocol = 'TCP', port, endPort }: PolicyPort, connection: Connection): boolean {
  if (protocol !== connection.protocol) return false
  if (port === undefined) return true
  if (typeof port === 'number') return connection.port >= port && connection.port <= (endPort ?? port)
  return (
    connection.to.kind === 'pod' &&
    (connection.to.ports ?? []).some(
      (one) =>
        one.name === port && (one.protocol ?? 'TCP') === protocol && one.containerPort === connection.port,
    )
  )
}
