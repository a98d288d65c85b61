import type { Addon } from '../addons/addon.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Session } from './session.ts'
import type { Step, StepRun } from './step.ts'

/**
 * Finds out before anything is made whether nodes can have the programs that add-ons need: the images of a registry have none of them.
 * @throws LocalCloudError NODE_PROGRAM_MISSING, from `observe`
 */
export function nodeProgramsStep(session: Session, addons: readonly Addon[], needs: readonly string[]): Step {
  const who = addons.map(({ title }) => title).join(', ')
  return {
    id: 'node-programs',
    title: `A node image for ${who}`,
    needs,
    timeoutMs: 60_000,
    async observe() {
      const { engine } = await session.look()
      if (!engine) return { state: 'absent', reason: 'no container engine yet' }
      const { kind, why } = await session.imageSource()
      if (kind !== 'registry') return { state: 'done', reason: `to be had from ${kind}` }
      throw new LocalCloudError('NODE_PROGRAM_MISSING', {
        message: `Images come from a registry (${why}), and its node image has not what ${who} needs: ${programsOf(addons).join(', ')}; nothing was changed.`,
        hint: 'Add --images packages, whose node image has it.',
      })
    },
    apply: () => Promise.resolve(),
    verify: () => Promise.resolve('to be had'),
  }
}

/**
 * Makes sure that every node has the programs of an add-on.
 * @throws LocalCloudError NODE_PROGRAM_MISSING naming the first node that was made of an image without them
 */
export async function requireNodePrograms(
  session: Session,
  addon: Pick<Addon, 'title' | 'nodePrograms'>,
  { signal }: Pick<StepRun, 'signal'>,
): Promise<void> {
  const { nodePrograms = [] } = addon
  if (nodePrograms.length === 0) return
  const [provider, { cluster }] = await Promise.all([session.provider(), session.look()])
  const script = 'for program; do test -x "$program" || echo "$program"; done'
  for (const { name } of cluster?.nodes ?? []) {
    const answer = await provider.runInNode(name, ['sh', '-c', script, 'sh', ...nodePrograms], { signal })
    const missing = answer.split('\n').filter((line) => line !== '')
    if (missing.length === 0) continue
    throw new LocalCloudError('NODE_PROGRAM_MISSING', {
      message: `Node ${name} has no ${missing.join(', ')}: its image was made without what ${addon.title} needs.`,
    })
  }
}

const programsOf = (addons: readonly Addon[]): string[] =>
  addons.flatMap(({ nodePrograms = [] }) => nodePrograms)
