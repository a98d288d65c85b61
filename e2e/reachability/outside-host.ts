import { randomBytes } from 'node:crypto'
import { clusterLabel, type CommandResult, type Engine } from '../../bootstrap/engine/engine.ts'
import type { Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import { runLabel } from '../harness/run-id.ts'
import { CheckBroke, NotProven } from '../harness/verdict.ts'
import { dialCommand, readDials, type Dial } from './client.ts'
import { listenCommand } from './listener.ts'
import type { LivePod, Source } from './source.ts'

/** TCP ports that a machine outside the cluster answers on, at every one of its addresses. */
export const outsidePorts = [53, 80, 443, 6443] as const

export interface OutsideHostOptions {
  cluster: Pick<Cluster, 'name' | 'kube' | 'runId'>
  engine: Engine
  /** Addresses that the nodes shall find at this machine; nothing is sent to whoever has them in the world. */
  addresses: readonly string[]
  signal: AbortSignal
}

/**
 * A machine beside the nodes, in their network but no part of the cluster. It listens on `outsidePorts` and on UDP 53. Leaving its scope
 * removes the machine and the nodes' routes to it; `down` of the cluster removes both as well.
 */
export interface OutsideHost extends AsyncDisposable {
  ip: string
  source: Source
  /** Tells the machine the way to these pods, over their nodes. */
  findPods(pods: readonly LivePod[], signal: AbortSignal): Promise<void>
}

const setUp = `
for address in $1; do ip address add "$address/32" dev lo || exit 1; done
shift
exec "$@"
`

/** Makes the machine from the node's own image and returns when it listens. @throws NotProven where the cluster's nodes are no containers here */
export async function startOutsideHost(options: OutsideHostOptions): Promise<OutsideHost> {
  const { cluster, engine, addresses, signal } = options
  const nodes = await nodeContainers(options)
  const [network] = await engine.listNetworks(`${clusterLabel}=${cluster.name}`, signal)
  const name = `${cluster.name}-outside-${cluster.runId}-${randomBytes(2).toString('hex')}`
  await using stack = new AsyncDisposableStack()
  stack.defer(() => engine.remove(name, AbortSignal.timeout(30_000)))
  await engine.runDetached(
    {
      image: nodes[0]?.image ?? '',
      name,
      // For the addresses. The nodes have no less.
      privileged: true,
      ...(network === undefined ? {} : { network }),
      labels: { [clusterLabel]: cluster.name, [runLabel]: cluster.runId },
      command: [
        '/bin/bash',
        '-c',
        setUp,
        'outside',
        addresses.join(' '),
        ...listenCommand({
          tcp: outsidePorts,
          udp: addresses.map((address) => ({ address, port: 53 })),
        }),
      ],
    },
    signal,
  )
  const run = (argv: readonly string[], stop: AbortSignal): Promise<CommandResult> =>
    engine.exec(name, argv, { signal: stop })
  await eventually(
    `the machine ${name} listens`,
    async (stop) => {
      const dials = outsidePorts.map((port): Dial => ({ protocol: 'TCP', address: '127.0.0.1', port }))
      const [seen = []] = readDials(
        name,
        await run(dialCommand(dials, { passes: 1, timeoutMs: 500 }), stop),
        dials,
        1,
      )
      return { ok: seen.every((one) => one === 'connected'), seen: seen.join(', ') }
    },
    { timeoutMs: 20_000, intervalMs: 200, signal },
  )
  const ip = await ownAddress(run, nodes[0]?.ip ?? '', signal)
  for (const node of nodes) {
    stack.defer(() => forget(engine, node.name, addresses, ip))
    const script = addresses.map((address) => `ip route replace ${address}/32 via ${ip}`).join(' && ')
    await succeed(`routes of ${node.name}`, engine.exec(node.name, ['sh', '-c', script], { signal }))
  }
  const kept = stack.move()
  const known = new Set<string>()
  return {
    ip,
    source: {
      name: 'machine outside the cluster',
      end: { kind: 'address', ip },
      stated: { kind: 'address', ip },
      run,
      prefix: `${engine.kind} exec ${name}`,
    },
    async findPods(pods, stop) {
      const fresh = pods.filter((pod) => !known.has(pod.ip))
      if (fresh.length === 0) return
      const script = fresh.map((pod) => `ip route replace ${pod.ip}/32 via ${pod.nodeIp}`).join(' && ')
      await succeed(`routes of ${name}`, run(['sh', '-c', script], stop))
      for (const pod of fresh) known.add(pod.ip)
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** Containers that are the nodes, with the nodes' addresses. */
async function nodeContainers({
  cluster,
  engine,
  signal,
}: OutsideHostOptions): Promise<{ name: string; image: string; ip: string }[]> {
  const [nodes, containers] = await Promise.all([
    cluster.kube.list({ apiVersion: 'v1', kind: 'Node' }, signal),
    engine.listContainers(`${clusterLabel}=${cluster.name}`, signal),
  ])
  return nodes.map(({ metadata, status }) => {
    const container = containers.find(({ name }) => name === metadata.name)
    const addresses = (status as { addresses?: { type: string; address: string }[] }).addresses ?? []
    const ip = addresses.find(({ type }) => type === 'InternalIP')?.address
    if (!container || ip === undefined) {
      throw new NotProven(
        `The node ${metadata.name} is no container on this machine, so no machine can be put beside it.`,
      )
    }
    return { name: container.name, image: container.image, ip }
  })
}

async function ownAddress(
  run: (argv: readonly string[], signal: AbortSignal) => Promise<CommandResult>,
  nodeIp: string,
  signal: AbortSignal,
): Promise<string> {
  const output = await succeed('own address', run(['ip', '-4', 'route', 'get', nodeIp], signal))
  const ip = / src ([\d.]+)/.exec(output)?.[1]
  if (ip === undefined)
    throw new CheckBroke(`The machine outside has no way to the node ${nodeIp}: ${output}`)
  return ip
}

/** Routes that are gone already are no error: somebody else may have taken them over, or the node may be new. */
async function forget(engine: Engine, node: string, addresses: readonly string[], ip: string): Promise<void> {
  const script = addresses
    .map((address) => `ip route del ${address}/32 via ${ip} 2>/dev/null || true`)
    .join('; ')
  await engine.exec(node, ['sh', '-c', script], { signal: AbortSignal.timeout(30_000) })
}

async function succeed(what: string, running: Promise<CommandResult>): Promise<string> {
  const { exitCode, stdout, stderr } = await running
  if (exitCode !== 0) throw new CheckBroke(`${what}: ended with ${String(exitCode)}: ${stderr.trim()}`)
  return stdout
}
