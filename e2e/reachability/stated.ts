import type { Contract, NetworkPolicyRow } from '../../manifests/slate/contract.ts'
import { inBlock, isBlock } from './cidr.ts'
import type { Connection, End, PodEnd } from './ends.ts'

/** The parts of the contract that say who may reach whom. */
export type StatedNetwork = Pick<Contract, 'namespace' | 'networkPolicies'>

/**
 * Whether the specification lets a connection through: the sentences of its policies (contract, networkPolicies), with labels as the
 * specification gives them. Reads no manifest and shares nothing with the evaluator but the arithmetic of addresses.
 * @throws Error for a sentence that it does not understand
 */
export function isStatedOpen(contract: StatedNetwork, connection: Connection): boolean {
  const { from, to } = connection
  const own = contract.namespace.name
  const inside = (end: End): end is PodEnd => end.kind === 'pod' && end.namespace === own
  const allowed = (direction: 'ingress' | 'egress', subject: PodEnd, peer: End): boolean => {
    const type = direction === 'ingress' ? 'Ingress' : 'Egress'
    const rows = contract.networkPolicies.filter((row) => row.types.includes(type) && concerns(row, subject))
    return (
      rows.length === 0 ||
      rows.some((row) =>
        row[direction].some(
          ({ peers, ports }) =>
            peers.some((sentence) => isMeant(sentence, peer, own)) &&
            ports.some(
              (sentence) =>
                sentence === 'any' || sentence === `${connection.protocol} ${String(connection.port)}`,
            ),
        ),
      )
    )
  }
  return (!inside(from) || allowed('egress', from, to)) && (!inside(to) || allowed('ingress', to, from))
}

const concerns = ({ pods }: NetworkPolicyRow, { labels }: PodEnd): boolean =>
  Object.entries(pods).every(([label, values]) => values.includes(labels[label] ?? ''))

/** `any`, `all pods`, a CIDR, or `namespace NAME, pods LABEL=VALUE` with either part alone. */
function isMeant(sentence: string, end: End, own: string): boolean {
  if (sentence === 'any') return true
  if (isBlock(sentence)) return end.kind === 'address' && inBlock(end.ip, sentence)
  if (sentence === 'all pods') return end.kind === 'pod' && end.namespace === own
  const match = /^(?:namespace ([\w-]+))?(?:, )?(?:pods ([\w./-]+)=([\w.-]+))?$/.exec(sentence)
  if (!match || sentence === '') throw new Error(`"${sentence}" is no peer of a policy in the contract.`)
  const [, namespace = own, label, value] = match
  if (end.kind !== 'pod' || end.namespace !== namespace) return false
  return label === undefined || end.labels[label] === value
}

/** The blocks that a policy of the specification names. @throws Error when it names none */
export function statedBlocks({ networkPolicies }: StatedNetwork, policy: string): string[] {
  const blocks = networkPolicies
    .filter(({ name }) => name === policy)
    .flatMap(({ ingress, egress }) => [...ingress, ...egress].flatMap(({ peers }) => peers))
    .filter(isBlock)
  if (blocks.length === 0) throw new Error(`The contract names no addresses for ${policy}.`)
  return blocks
}

/** The namespace of the ingress controller, as the specification's policy names it. @throws Error when it names none */
export function statedControllerNamespace({ networkPolicies }: StatedNetwork): string {
  const row = networkPolicies.find(({ name }) => name === 'allow-ingress-to-services')
  const named = row?.ingress.flatMap(({ peers }) => peers).find((peer) => peer.startsWith('namespace '))
  if (named === undefined) throw new Error('The contract names no namespace of the ingress controller.')
  return named.slice('namespace '.length)
}
