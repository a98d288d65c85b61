import type { KubeObject } from '../kube/client.ts'
import { loadedIds } from './load-images.ts'
import { partStep } from './part.ts'
import type { Session } from './session.ts'
import type { Step, StepRun } from './step.ts'

export interface SystemOptions {
  system: string
  environment: string
}

/** The system's objects, rendered and validated once per command. */
export type Render = (run: Pick<StepRun, 'signal'>) => Promise<readonly KubeObject[]>

/** Renders on the first call and gives the same objects afterwards; for `none` there are none. */
export function systemRenderer(session: Session, { system, environment }: SystemOptions): Render {
  let rendered: Promise<readonly KubeObject[]> | undefined
  return ({ signal }) =>
    (rendered ??= system === 'none' ? Promise.resolve([]) : session.tools.system(system, environment, signal))
}

/**
 * Renders and validates everything that will be applied, needing nothing, so that a wrong manifest is found before
 * anything is changed. RENDER_FAILED and MANIFEST_INVALID come from `observe`.
 */
export function manifestsStep(options: SystemOptions & { render: Render; addonObjects: number }): Step {
  const seen = async (run: StepRun): Promise<string> => {
    const objects = await options.render(run)
    const system =
      options.system === 'none'
        ? ''
        : ` and ${String(objects.length)} objects of ${options.system}/${options.environment}`
    return `${String(options.addonObjects)} objects of add-ons${system} are valid`
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

/** The system: applied, and every workload of it ready, under one deadline. */
export function systemStep(
  session: Session,
  options: SystemOptions & { render: Render; needs: readonly string[]; timeoutMs: number },
): Step {
  return partStep(session, {
    part: `system.${options.system}`,
    step: 'system',
    title: `System ${options.system} (${options.environment})`,
    needs: options.needs,
    timeoutMs: options.timeoutMs,
    objects: options.render,
    imageIds: () => loadedIds(session),
    prove: () => Promise.resolve(''),
  })
}
