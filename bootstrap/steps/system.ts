import { claimsOnGpuNode } from '../gpu/claims-on-gpu-node.ts'
import type { KubeObject } from '../kube/client.ts'
import { overlayWords, systemWords, type SystemChoice } from '../manifests/system-choice.ts'
import { choicesOf, systemNames, type UpOptions } from '../plan/options.ts'
import type { Plan } from '../plan/plan.ts'
import { loadedIds } from './load-images.ts'
import { partStep } from './part.ts'
import type { Session } from './session.ts'
import type { Step, StepRun } from './step.ts'
import { waitForRoutes } from './wait-for-routes.ts'

/** The system's objects, rendered and validated once per command. */
export type Render = (run: Pick<StepRun, 'signal'>) => Promise<readonly KubeObject[]>

/** A system that is to be put on the cluster, and its objects. */
export interface ChosenSystem {
  choice: SystemChoice
  render: Render
}

/**
 * The systems that the options name, each rendered on the first call and the same objects afterwards. On several nodes of ours, volumes of pods with
 * a GPU are where the GPUs are.
 */
export function chosenSystems(
  session: Session,
  options: Pick<UpOptions, 'system' | 'environment' | 'models' | 'gpu'>,
  plan: Pick<Plan, 'gpu' | 'nodes'>,
): ChosenSystem[] {
  const render = async (choice: SystemChoice, signal: AbortSignal): Promise<readonly KubeObject[]> =>
    claimsOnGpuNode(await session.tools.system(choice, signal), plan)
  return systemNames(options.system).map((system) => {
    const choice = { system, environment: options.environment, choices: choicesOf(options) }
    let rendered: Promise<readonly KubeObject[]> | undefined
    return { choice, render: ({ signal }) => (rendered ??= render(choice, signal)) }
  })
}

/** The objects of all of them. */
export const renderAll =
  (systems: readonly ChosenSystem[]): Render =>
  async (run) =>
    (await Promise.all(systems.map(({ render }) => render(run)))).flat()

/**
 * Renders and validates everything that will be applied, needing nothing, so that a wrong manifest is found before
 * anything is changed. RENDER_FAILED and MANIFEST_INVALID come from `observe`.
 */
export function manifestsStep(options: {
  systems: readonly ChosenSystem[]
  render: Render
  addonObjects: number
}): Step {
  const { systems } = options
  const seen = async (run: StepRun): Promise<string> => {
    const objects = await options.render(run)
    const words =
      systems.length === 0
        ? ''
        : ` and ${String(objects.length)} objects of ${overlayWords(systems.map(({ choice }) => choice))}`
    return `${String(options.addonObjects)} objects of add-ons${words} are valid`
  }
  return {
    id: 'manifests',
    title: 'Manifests',
    needs: [],
    timeoutMs: 120_000,
    observe: async (run) => ({ state: 'done', reason: await seen(run) }),
    apply: () => Promise.resolve(),
    verify: seen,
  }
}

/**
 * The system: applied, every workload of it ready, and its routes passed on by the ingress, under one deadline. Before that it is told what the
 * chosen options bring, and when they need a network that may not be there.
 */
export function systemStep(
  session: Session,
  options: ChosenSystem & {
    /** Whether it is the only system, whose step then needs no name. */
    alone: boolean
    needs: readonly string[]
    timeoutMs: number
    /** Where an ingress of ours answers; absent without one. */
    ingressUrl?: string
  },
): Step {
  const { choice } = options
  return partStep(session, {
    part: `system.${choice.system}`,
    step: options.alone ? 'system' : `system:${choice.system}`,
    title: `System ${systemWords(choice)}`,
    needs: options.needs,
    timeoutMs: options.timeoutMs,
    objects: options.render,
    imageIds: () => loadedIds(session),
    async before() {
      const { emit } = session
      for (const { notice, needsNetwork } of await session.tools.variants(choice)) {
        if (notice !== undefined) emit({ type: 'notice', level: 'info', message: notice })
        // How an existing cluster comes to its images its owner knows.
        if (!needsNetwork || session.existing) continue
        const { kind } = await session.imageSource()
        if (kind !== 'registry') {
          emit({
            type: 'notice',
            level: 'warning',
            message: `The images come from ${kind}, so that this machine may have no network; ${systemWords(choice)} needs one, and waits for it in vain where there is none.`,
          })
        }
      }
    },
    async prove(run, ready) {
      const { ingressUrl } = options
      if (ingressUrl === undefined) return ready
      const warn = (message: string): void => {
        session.emit({ type: 'notice', level: 'warning', message })
      }
      const objects = await options.render(run)
      const routes = await waitForRoutes(await session.kube(), objects, { ingressUrl, warn }, run)
      return routes === '' ? ready : `${ready}, ${routes}`
    },
  })
}
