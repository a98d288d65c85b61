import type { Addon } from '../addons/addon.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { asksForNodes, coreWords, extendedOf, fit, memoryWords, type NodeFacts } from '../fit/resources.ts'
import { neededSecrets, type NeededSecret } from '../fit/secrets.ts'
import { neededRuntimeClasses, runtimeClassesAmong } from '../fit/runtime-classes.ts'
import { shortageLines } from '../fit/shortage.ts'
import { marksOf } from '../existing/ours.ts'
import type { Room } from '../existing/room.ts'
import type { KubeObject } from '../kube/client.ts'
import { diffCommand, overlayWords, type SystemChoice } from '../manifests/system-choice.ts'
import { gpuLabels, gpuResource } from '../plan/gpu-plan.ts'
import type { Plan } from '../plan/plan.ts'
import { runtimeClassNames } from '../plan/runtime-classes.mjs'
import { changesOf, isHalfMade } from './existing.ts'
import { refKey, refOf } from './objects.ts'
import type { Session } from './session.ts'
import type { Step, StepRun } from './step.ts'
import type { Render } from './system.ts'

export interface FitOptions {
  plan: Plan
  addons: readonly Addon[]
  choices: readonly SystemChoice[]
  render: Render
  /** Cores and bytes of this machine. */
  machine: { cores: number; memory: number }
  /** What the nodes of an existing cluster have and others ask for; counts in place of this machine. */
  room?: (signal: AbortSignal) => Promise<Room>
}

/**
 * Finds out whether the system can run here, before anything is installed, built or changed; asked once, however often it is called.
 * Returns it in words.
 * @throws LocalCloudError SYSTEM_DOES_NOT_FIT with a table of what is asked for and what there is; RUNTIME_CLASS_MISSING with who names what
 * nobody provides (OMNI zones, Z03); SECRET_MISSING with the commands that make what is missing. When several are so, the first, with the
 * others in its evidence.
 */
export function fitCheck(session: Session, options: FitOptions): (run: StepRun) => Promise<string> {
  let asked: Promise<string> | undefined
  return (run) => (asked ??= check(session, options, run))
}

/** The step that asks `fitCheck` and stops everything else when the system does not fit. */
export function fitStep(asked: (run: StepRun) => Promise<string>, needs: readonly string[]): Step {
  return {
    id: 'fit',
    title: 'Whether the system fits',
    needs,
    timeoutMs: 120_000,
    observe: async (run) => ({ state: 'done', reason: await asked(run) }),
    apply: () => Promise.resolve(),
    verify: asked,
  }
}

async function check(session: Session, options: FitOptions, run: StepRun): Promise<string> {
  const { addons, choices, machine, plan, render } = options
  const [first] = choices
  if (!first) return 'no system'
  const objects = await render(run)
  const room = await options.room?.(run.signal)
  const has = room ?? machine
  const { shortages, cores, memory } = fit({
    system: objects,
    addons: addons.flatMap((addon) => addon.objects),
    machine: has,
    ...(room ? { others: { 'pods of others': room.others }, whose: 'the nodes that take pods have' } : {}),
    nodes: await nodesFor(session, plan, objects, run.signal),
    labelsKnown: plan.kubeadmPatches.length === 0 || (await stays(session, plan)),
  })
  const words = `${coreWords(cores)} of ${coreWords(has.cores)} and ${memoryWords(memory)} of ${memoryWords(has.memory)}`
  const missing = await missingSecrets(session, options, objects, run.signal)
  const lines = missing.flatMap(({ secret, why }) => [
    `Secret ${secret.namespace}/${secret.name}${why}, named by ${secret.by.join(', ')}`,
  ])
  const absent = await missingRuntimeClasses(session, options, objects, run.signal)
  const classLines = absent.map(({ name, by }) => `RuntimeClass ${name}, named by ${by.join(', ')}`)
  const overlay = overlayWords(choices)
  const isOne = choices.length === 1
  if (shortages.length > 0) {
    throw new LocalCloudError('SYSTEM_DOES_NOT_FIT', {
      message: `${overlay} ${isOne ? 'asks' : 'ask'} for what is not here; nothing was changed.`,
      hint: `Choose another overlay, such as --overlay local, or a larger machine. To have the API server judge it all the same: ${diffCommand(first)}`,
      evidence: [...shortageLines(shortages), ...classLines, ...lines],
    })
  }
  if (absent.length > 0) {
    throw new LocalCloudError('RUNTIME_CLASS_MISSING', {
      message: `${overlay} ${isOne ? 'names' : 'name'} ${absent.map(({ name }) => `the RuntimeClass ${name}`).join(' and ')}, which nobody provides; nothing was changed.`,
      hint: absent.map(({ name }) => remedyFor(name, session)).join(' '),
      evidence: [...classLines, ...lines],
    })
  }
  if (missing.length > 0) throw secretsMissing(session, options, missing, lines)
  return `${words} are requested`
}

/** Whether the cluster that is there is the one that the plan will have. */
async function stays(session: Session, plan: Plan): Promise<boolean> {
  const { cluster, kube } = await session.look()
  if (!cluster || !kube || isHalfMade(session, cluster)) return false
  return (await changesOf(session, plan)).every((change) => change.kind !== 'needs-recreate')
}

/** What the plan's GPUs add to the node that has them, and what goes from one that is to lose those of an earlier plan. */
function withGpus({ gpu, nodes }: Plan, name: string, { labels, extended }: NodeFacts): NodeFacts {
  if (gpu !== undefined && nodes.at(-1)?.name === name) {
    return {
      labels: { ...labels, [gpuLabels.present]: 'true' },
      extended: { ...extended, [gpuResource]: gpu.count * gpu.replicas },
    }
  }
  if (labels[gpuLabels.tier] === undefined) return { labels, extended }
  return { labels, extended: { ...extended, [gpuResource]: 0 } }
}

/** The nodes that are there, or those that the plan makes with the labels that every node has; both with the GPUs of the plan. */
async function nodesFor(
  session: Session,
  plan: Plan,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<NodeFacts[]> {
  if ((session.existing || asksForNodes(objects)) && (await stays(session, plan))) {
    const kube = await session.kube()
    return (await kube.list({ apiVersion: 'v1', kind: 'Node' }, signal)).map((node) =>
      withGpus(plan, node.metadata.name, {
        labels: node.metadata.labels ?? {},
        extended: extendedOf(
          (node['status'] as { allocatable?: Record<string, unknown> } | undefined)?.allocatable,
        ),
      }),
    )
  }
  return plan.nodes.map(({ name, role }) =>
    withGpus(plan, name, {
      labels: {
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': process.arch === 'arm64' ? 'arm64' : 'amd64',
        'kubernetes.io/hostname': name,
        ...(role === 'control-plane' ? { 'node-role.kubernetes.io/control-plane': '' } : {}),
      },
      extended: {},
    }),
  )
}

/**
 * RuntimeClasses that pods of the system name and that neither the system nor an add-on of the plan brings, nor, where the cluster that is
 * there stays, anybody else; one that an earlier plan brought goes with what brought it.
 */
async function missingRuntimeClasses(
  session: Session,
  { addons, plan }: FitOptions,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<ReturnType<typeof neededRuntimeClasses>> {
  const brought = new Set(runtimeClassesAmong(addons.flatMap((addon) => addon.objects)))
  const absent = neededRuntimeClasses(objects).filter(({ name }) => !brought.has(name))
  if (absent.length === 0 || !(await stays(session, plan))) return absent
  const [kube, { record }] = await Promise.all([session.kube(), session.look()])
  const recorded = new Set(Object.values(record?.parts ?? {}).flatMap((part) => Object.keys(part.objects)))
  const found = await kube.list({ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass' }, signal)
  const others = found.filter((one) => !recorded.has(refKey(refOf(one)))).map(({ metadata }) => metadata.name)
  return absent.filter(({ name }) => !others.includes(name))
}

/** By whom a RuntimeClass comes into a cluster. */
function remedyFor(name: string, { existing }: Session): string {
  if (existing) return `Have the owner of the cluster provide the RuntimeClass ${name} and its runtime.`
  if (runtimeClassNames.some((known) => known === name)) return `Add --runtime-class ${name}.`
  return name === 'nvidia' ? 'Add --gpu.' : `Apply the RuntimeClass ${name} to the cluster first.`
}

interface MissingSecret {
  secret: NeededSecret
  why: string
  /** Whether it can be made only on a cluster that does not have the system as it is now. */
  afresh: boolean
}

/** Secrets that are not in the cluster, or lack a key, or go with the overlay that is there now. */
async function missingSecrets(
  session: Session,
  { choices, plan }: FitOptions,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<MissingSecret[]> {
  const needed = neededSecrets(objects)
  if (needed.length === 0) return []
  if (!(await stays(session, plan)))
    return needed.map((secret) => ({ secret, why: ' is managed outside of the system', afresh: true }))
  const kube = await session.kube()
  const { record } = await session.look()
  const kept = new Set(objects.map((object) => refKey(refOf(object))))
  const goes = new Set(
    choices
      .flatMap(({ system }) => Object.keys(record?.parts[`system.${system}`]?.objects ?? {}))
      .filter((key) => !kept.has(key)),
  )
  const found = await Promise.all(
    needed.map(async (secret): Promise<MissingSecret[]> => {
      const { namespace, name, keys } = secret
      const ref = { apiVersion: 'v1', kind: 'Secret', namespace, name }
      if (goes.has(refKey(ref)))
        return [{ secret, why: ' belongs to the overlay that is there and goes with it', afresh: true }]
      const object = await kube.get(ref, signal)
      if (!object) return [{ secret, why: ' is not in the cluster', afresh: false }]
      const there = Object.keys((object['data'] ?? {}) as Record<string, string>)
      const lacking = keys.filter((key) => !there.includes(key))
      return lacking.length === 0 ? [] : [{ secret, why: ` has no key ${lacking.join(', ')}`, afresh: false }]
    }),
  )
  return found.flat()
}

const marks = (name: string): string =>
  Object.entries(marksOf(name))
    .map(([label, value]) => `${label}=${value}`)
    .join(' ')

function secretsMissing(
  session: Session,
  { choices }: FitOptions,
  missing: readonly MissingSecret[],
  lines: readonly string[],
): LocalCloudError {
  const name = session.name === 'local-cloud' ? '' : ` --name ${session.name}`
  const kubectl = session.existing
    ? `kubectl --context ${session.existing.context}`
    : `kubectl --kubeconfig ${session.files.kubeconfig}`
  const namespaces = [...new Set(missing.map(({ secret }) => secret.namespace))]
  const commands = [
    ...(missing.some(({ afresh }) => afresh) ? [`npx zx bootstrap/up.mjs${name} --system none`] : []),
    ...namespaces.flatMap((namespace) => [
      `${kubectl} create namespace ${namespace} --dry-run=client --output=yaml | ${kubectl} apply --filename=-`,
      // A namespace that is not ours is refused on an existing cluster.
      ...(session.existing ? [`${kubectl} label namespace ${namespace} ${marks(session.name)}`] : []),
    ]),
    ...missing.map(({ secret }) => {
      const keys = secret.keys.length === 0 ? ['KEY'] : secret.keys
      const values = keys.map((key) => `--from-literal=${key}=VALUE`).join(' ')
      return `${kubectl} --namespace ${secret.namespace} create secret generic ${secret.name} ${values}`
    }),
  ]
  const count = missing.length === 1 ? 'A Secret' : `${String(missing.length)} Secrets`
  return new LocalCloudError('SECRET_MISSING', {
    message: `${count} that ${overlayWords(choices)} names ${missing.length === 1 ? 'is' : 'are'} not there; nothing was changed.`,
    hint: 'Run the commands above, with the real values, and then the same command again.',
    evidence: [...lines, ...commands.map((command) => `$ ${command}`)],
  })
}
