import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { redact } from '../../process/redact.ts'

/** What the log of a starting node says. */
export type StartState =
  | { kind: 'starting'; last: string }
  | { kind: 'ready' }
  /** It ended; `stage` is what the k3s-compatible image names. */
  | { kind: 'failed'; stage?: string; message: string }

/** What @testcontainers/k3s waits for, and what the k3s-compatible image says when everything that it brings is there. */
const readyLines = {
  k3s: 'Node controller sync successful',
  'k3s-compatible': 'this node is complete',
} as const
const agentLines = {
  k3s: 'Remotedialer connected to proxy',
  'k3s-compatible': 'this node is complete',
} as const

/** What the log of a node has when it is ready. */
export const readyLine = (flavour: keyof typeof readyLines, role: 'server' | 'agent'): string =>
  (role === 'server' ? readyLines : agentLines)[flavour]

/** Lines of a log that explain a failure. */
const evidenceLines = 20

/** Reads the log of one start; a container that was started before has older ones above. Pure. */
export function startState(
  log: string,
  flavour: keyof typeof readyLines,
  role: 'server' | 'agent',
): StartState {
  const lines = log.trimEnd().split('\n')
  const fatal = lines.findLast((line) => line.startsWith('level=fatal'))
  if (fatal !== undefined) {
    const stage = /\bstage=(\S+)/.exec(fatal)?.[1]
    const message = /\bmsg="((?:[^"\\]|\\.)*)"/.exec(fatal)?.[1]?.replaceAll(String.raw`\"`, '"') ?? fatal
    return { kind: 'failed', ...(stage === undefined ? {} : { stage }), message }
  }
  if (lines.some((line) => line.includes(readyLine(flavour, role)))) return { kind: 'ready' }
  return { kind: 'starting', last: /\bmsg="([^"]*)"/.exec(lines.at(-1) ?? '')?.[1] ?? '' }
}

/** A node that did not start, with its stage where it named one, else `otherwise`, and the last lines of its log. */
export function startFailure(
  node: string,
  log: string,
  state: StartState,
  otherwise = 'its container ended',
): LocalCloudError {
  const { stage, message } = state.kind === 'failed' ? state : { stage: undefined, message: otherwise }
  return new LocalCloudError('NODE_START_FAILED', {
    message: `Node ${node} did not start${stage === undefined ? '' : `: it ended at the stage ${stage}`}: ${message}.`,
    evidence: redact(log).trimEnd().split('\n').slice(-evidenceLines),
  })
}
