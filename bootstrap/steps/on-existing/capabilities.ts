import type { Addon, ProbeResult } from '../../addons/addon.ts'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import {
  capabilityLines,
  readFacts,
  type Capability,
  type ClusterFacts,
} from '../../existing/capabilities.ts'
import { imagesOfNodes, isEverywhere } from '../../existing/cluster-images.ts'
import { addonFor, collisionsOf, foldersOnNodes, lacksOf } from '../../existing/needs.ts'
import { shellImage } from '../addon.ts'
import type { RecordedCapabilities } from '../record.ts'
import type { Session } from '../session.ts'
import type { Step, StepRun } from '../step.ts'
import type { Render } from '../system.ts'

export interface CapabilitiesOptions {
  render: Render
  /** Add-ons of ours that are asked for. */
  addons: readonly Addon[]
  /** The add-on whose probe tries whether policies are enforced. */
  policyProbe: Addon | undefined
  needs: readonly string[]
  /** What must be known before anything is made, if only for a try. */
  triedAfter: readonly string[]
}

/** What the cluster was found to have, for the steps after and for the user. */
export interface FoundCapabilities {
  /** Reads what the API tells, and refuses what cannot go well. */
  judge: Step
  /** Tries whether policies are enforced, and tells what the cluster has. */
  policies: Step
  /** Looks, where nobody has yet. */
  current(signal: AbortSignal): Promise<Capability[]>
  /** Has the next look read anew what the API tells, for add-ons have been put there since. */
  forget(): void
  /** What the record of the cluster is to say; undefined while it says it. */
  toRecord(signal: AbortSignal): Promise<RecordedCapabilities | undefined>
}

/**
 * Looks what the cluster has before anything is put on it. What the API tells is read; whether NetworkPolicies are enforced it does not
 * tell, so that this is tried in a namespace of our own, once for each network, where the system has policies and an image to try it with
 * is to be had.
 * `judge` throws CAPABILITY_MISSING for what the system cannot do without, FOREIGN_ADDON for add-ons that are there from somebody else,
 * both from `observe`.
 */
export function capabilitiesSteps(session: Session, options: CapabilitiesOptions): FoundCapabilities {
  let read: Promise<ClusterFacts> | undefined
  let tried: Capability | undefined
  const facts = (signal: AbortSignal): Promise<ClusterFacts> =>
    (read ??= session.kube().then((kube) => readFacts(kube, session.name, signal)))

  const recorded = async (): Promise<RecordedCapabilities | undefined> =>
    (await session.look()).record?.capabilities
  const networkOf = ({ capabilities }: ClusterFacts): Capability | undefined =>
    capabilities.find(({ name }) => name === 'network policy')
  const keyOf = (found: ClusterFacts): string => networkOf(found)?.by ?? ''

  /** What an earlier `up` saw when it tried the same network. */
  const seenBefore = async (found: ClusterFacts): Promise<Capability | undefined> => {
    const before = await recorded()
    return before?.tried === keyOf(found)
      ? before.all.find(({ name }) => name === 'network policy')
      : undefined
  }
  const current = async (signal: AbortSignal): Promise<Capability[]> => {
    const found = await facts(signal)
    const network = tried ?? (await seenBefore(found)) ?? networkOf(found)
    return found.capabilities.map((one) => (one.name === 'network policy' ? (network ?? one) : one))
  }
  const whyNotTried = async (run: StepRun): Promise<string | undefined> => {
    const { policyProbe } = options
    const objects = await options.render(run)
    if (!policyProbe || !objects.some(({ kind }) => kind === 'NetworkPolicy')) return 'no policy to try'
    if (tried ?? (await seenBefore(await facts(run.signal)))) return 'tried'
    if (session.images.kind === 'registry') return undefined
    const nodes = await (await session.kube()).list({ apiVersion: 'v1', kind: 'Node' }, run.signal)
    return isEverywhere(imagesOfNodes(nodes), shellImage)
      ? undefined
      : `not tried: not every node has ${shellImage}`
  }
  const words = (capabilities: readonly Capability[]): string =>
    capabilities.map(({ name, state }) => `${name} ${state}`).join(', ')

  const networkWords = async (run: StepRun): Promise<string> => {
    const network = (await current(run.signal)).find(({ name }) => name === 'network policy')
    return network ? `${network.state}: ${network.by}` : 'not known'
  }

  const judge = async (run: StepRun): Promise<void> => {
    const found = await facts(run.signal)
    const addons = options.addons.map((addon) => addon.name)
    const collisions = collisionsOf(addons, found)
    if (collisions.length > 0)
      throw new LocalCloudError('FOREIGN_ADDON', {
        message: `--addons names what the cluster has from somebody else: ${collisions.map((line) => line.split(':')[0]).join(', ')}; nothing was changed.`,
        evidence: collisions,
      })
    const lacks = lacksOf({
      objects: await options.render(run),
      facts: { ...found, capabilities: await current(run.signal) },
      addons,
    })
    const stops = lacks.filter((lack) => lack.stops)
    if (stops.length > 0) {
      const help = [...new Set(stops.flatMap(({ capability }) => addonFor[capability] ?? []))]
      throw new LocalCloudError('CAPABILITY_MISSING', {
        message: `The cluster lacks what the system cannot do without; nothing was changed.`,
        evidence: [
          ...stops.map((lack) => lack.words),
          ...capabilityLines(await current(run.signal)).map((line) => `  ${line}`),
        ],
        ...(help.length === 0
          ? {}
          : { hint: `Have the cluster’s owner provide it, or install it: --addons ${help.join(',')}` }),
      })
    }
  }
  const tell = async (run: StepRun): Promise<void> => {
    const capabilities = await current(run.signal)
    session.emit({
      type: 'notice',
      level: 'info',
      message: ['What the cluster has:', ...capabilityLines(capabilities).map((line) => `  ${line}`)].join(
        '\n',
      ),
    })
    const lacks = lacksOf({
      objects: await options.render(run),
      facts: { ...(await facts(run.signal)), capabilities },
      addons: options.addons.map((addon) => addon.name),
    })
    const folders = foldersOnNodes(await options.render(run)).map(
      (folder) =>
        `PersistentVolume ${folder} is a folder of a node: down removes the volume, and the folder stays`,
    )
    for (const words of [...lacks.map((lack) => lack.words), ...folders])
      session.emit({ type: 'notice', level: 'warning', message: `${words}.` })
  }

  const toRecord = async (signal: AbortSignal): Promise<RecordedCapabilities | undefined> => {
    const before = await recorded()
    const found = await facts(signal)
    const all = await current(signal)
    const known = tried ?? (await seenBefore(found))
    const key = known === undefined ? '' : keyOf(found)
    const states = (list: readonly Capability[]): string =>
      list.map(({ name, state, ours }) => `${name} ${state} ${String(ours)}`).join()
    return before?.tried === key && states(before.all) === states(all) ? undefined : { all, tried: key }
  }

  return {
    current,
    forget() {
      read = undefined
    },
    toRecord,
    judge: {
      id: 'capabilities',
      title: 'What the cluster has',
      needs: options.needs,
      timeoutMs: 60_000,
      async observe(run) {
        await judge(run)
        return { state: 'done', reason: words(await current(run.signal)) }
      },
      apply: () => Promise.resolve(),
      verify: async (run) => words(await current(run.signal)),
    },
    policies: {
      id: 'policies',
      title: 'Whether policies are enforced',
      needs: options.triedAfter,
      timeoutMs: 300_000,
      async observe(run) {
        const why = await whyNotTried(run)
        if (why === undefined) return { state: 'partial', reason: 'to be tried' }
        if ((await toRecord(run.signal)) !== undefined) await tell(run)
        return { state: 'done', reason: why === 'tried' ? await networkWords(run) : why }
      },
      async apply(run) {
        const { policyProbe } = options
        const before = networkOf(await facts(run.signal))
        if (!policyProbe || !before) return
        run.progress('in a namespace of our own')
        const proof = await session.tools.probe(policyProbe, {
          kube: await session.kube(),
          ingressUrl: '',
          shellImage,
          labels: session.marks,
          theirs: true,
          signal: run.signal,
        })
        tried = { ...before, ...judged(before.by, proof) }
        await tell(run)
      },
      verify: networkWords,
    },
  }
}

/** What a try says of the network that the API tells `by` whom. */
function judged(by: string, proof: ProbeResult): Pick<Capability, 'state' | 'by'> {
  if (proof.result === 'pass') return { state: 'present', by: `${by}; seen to enforce` }
  if (proof.result === 'fail') return { state: 'absent', by: `${by}; tried: ${proof.seen}` }
  return { state: 'unknown', by: `${by}; could not be tried: ${proof.reason.split('\n')[0] ?? ''}` }
}
