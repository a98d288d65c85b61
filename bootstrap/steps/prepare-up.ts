import { chooseAddons } from '../addons/choose-addons.ts'
import { resolveGpu } from '../gpu/resolve-gpu.ts'
import type { GpuPlan } from '../plan/gpu-plan.ts'
import { eachOnce, systemNames, type UpOptions } from '../plan/options.ts'
import { makePlan, type Plan } from '../plan/plan.ts'
import type { SystemDemands } from '../manifests/system-file.ts'
import type { Emit } from '../report/events.ts'
import { readPatches } from './cluster.ts'
import { findAccess, requireSameOrigin } from './on-existing/access.ts'
import { existingUpSteps, type ExistingGraph } from './on-existing/up-steps.ts'
import { createSession, type Session } from './session.ts'
import type { Tools } from './tools.ts'
import { upSteps, type UpGraph } from './up-steps.ts'

export interface UpRequest {
  options: UpOptions
  tools: Tools
  /** Recorded in the cluster. */
  toolVersion: string
  emit: Emit
  signal: AbortSignal
  /** Milliseconds that the whole command has left; default without end. */
  remainingMs?: () => number
}

/**
 * What it takes to bring everything to where the options want it: a session, the plan, and the graph of steps. Nothing is changed.
 * @throws LocalCloudError BAD_VALUE for a context or an add-on that there is not; BAD_SYSTEM_FILE; GVISOR_HOST and those of GPUs where this
 * machine cannot have them; CHANGE_NEEDS_RECREATE when the name is taken by a cluster
 * of the other kind, made here or existing
 */
export async function prepareUp(
  request: UpRequest,
): Promise<{ session: Session; plan: Plan; graph: UpGraph & Partial<ExistingGraph> }> {
  const { tools, emit, signal, remainingMs } = request
  const demands = await systemsDemands(request)
  const options = {
    ...request.options,
    runtimeClasses: eachOnce([...request.options.runtimeClasses, ...demands.runtimeClasses]),
  }
  await requireSameOrigin(options.paths, options)
  const access = options.provider === 'existing' ? await findAccess(options.paths, options) : undefined
  const session = createSession({
    name: options.name,
    paths: options.paths,
    images: options.images,
    tools,
    emit,
    signal,
    ...(access ? { existing: access } : {}),
    ...(remainingMs === undefined ? {} : { remainingMs }),
  })
  // Begun now, for it takes as long as reading the add-ons; the steps that need it meet its error again.
  session.look().catch(() => undefined)
  const { runtimeClasses } = options
  await requireRuntimeClassHosts(options, tools, session)
  const gpu = await gpuOf(request, session)
  const [known, kubeadmPatches] = await Promise.all([
    tools.addons(signal, {
      ...(gpu === undefined ? {} : { gpu }),
      runtimeClasses,
      hostPolicies: demands.hostPolicies,
      // On an existing cluster one that is not put there may be needed to try what is there.
      ...(access ? {} : { choose: (all) => chooseAddons(all, options) }),
    }),
    readPatches(options.kubeadmPatches),
  ])
  const addons = chooseAddons(known, options)
  const plan = makePlan(options, { addons, kubeadmPatches, ...(gpu === undefined ? {} : { gpu }) })
  const { toolVersion } = request
  return {
    session,
    plan,
    graph: access
      ? existingUpSteps(session, { options, plan, addons, known, access, toolVersion })
      : upSteps(session, options, plan, addons, toolVersion),
  }
}

/** What the systems together want of the cluster; of an existing one nothing, for what that has is its owner's. */
async function systemsDemands({ options, tools }: UpRequest): Promise<SystemDemands> {
  const systems = options.provider === 'existing' ? [] : systemNames(options.system)
  const demands = await Promise.all(systems.map((system) => tools.demandsOf(system)))
  return {
    runtimeClasses: demands.flatMap(({ runtimeClasses }) => runtimeClasses),
    hostPolicies: demands.some(({ hostPolicies }) => hostPolicies),
  }
}

/** The engine is only looked for: none is installed or started to find out that the machine will not do. */
async function requireRuntimeClassHosts(
  { runtimeClasses }: UpOptions,
  tools: Tools,
  session: Session,
): Promise<void> {
  if (runtimeClasses.length === 0) return
  const { engine } = await session.look()
  for (const name of runtimeClasses) await tools.requireRuntimeClassHost(name, engine?.kind)
}

/** What `--gpu` comes to on this machine; for a real card also whether a node can be given it. */
async function gpuOf(
  { options: { gpu, name }, tools, emit, signal }: UpRequest,
  session: Session,
): Promise<GpuPlan | undefined> {
  if (gpu === undefined) return undefined
  const { plan, notice } = resolveGpu(
    gpu,
    gpu.tier === 'mock' ? { reason: 'the mock was asked for' } : await tools.gpuCards(signal),
  )
  if (notice !== undefined) emit({ type: 'notice', level: 'warning', message: notice })
  if (plan.tier === 'real') await tools.requireGpuHost(await session.engine(), name, signal)
  return plan
}
