import type { Addon } from '../../addons/addon.ts'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import {
  clusterImageShortages,
  imagesOfNodes,
  isEverywhere,
  toBePulled,
} from '../../existing/cluster-images.ts'
import { imagesOf, used } from '../../fit/images.ts'
import { shortageLines } from '../../fit/shortage.ts'
import { overlayWords } from '../../manifests/system-choice.ts'
import { stamp } from '../objects.ts'
import { observePart } from '../part.ts'
import type { Session } from '../session.ts'
import type { Observation, Step, StepRun } from '../step.ts'
import type { ChosenSystem } from '../system.ts'

/**
 * Finds out whether every image can come into the pods of an existing cluster, into whose nodes nothing is loaded: every node says that it
 * has it, or a registry answers for it, or the user says that the cluster pulls (`--images registry`). What runs already is not asked
 * about again.
 * @throws LocalCloudError IMAGE_NOT_SUPPLIED with every image that nobody can be seen to have, from `observe`
 */
export function clusterImageSupplyStep(
  session: Session,
  options: { systems: readonly ChosenSystem[]; addons: readonly Addon[]; needs: readonly string[] },
): Step {
  const { systems, addons, needs } = options
  const parts = async (run: StepRun) => [
    ...addons.map((addon) => ({ part: `addon.${addon.name}`, objects: addon.objects })),
    ...(await Promise.all(
      systems.map(async ({ choice, render }) => ({
        part: `system.${choice.system}`,
        objects: await render(run),
      })),
    )),
  ]
  /** Objects of parts that are not there as they should be. */
  const pending = async (run: StepRun) => {
    const observed = await Promise.all(
      (await parts(run)).map(async ({ part, objects }) => {
        const { state } = await observePart(session, part, stamp(objects, {}, session.marks))
        return state === 'done' ? [] : objects
      }),
    )
    return observed.flat()
  }
  const look = async (run: StepRun): Promise<Observation> => {
    const objects = await pending(run)
    if (imagesOf(objects).size === 0) return { state: 'done', reason: 'all of them run already' }
    const kube = await session.kube()
    const nodes = imagesOfNodes(await kube.list({ apiVersion: 'v1', kind: 'Node' }, run.signal))
    const pulled = toBePulled(objects, nodes)
    const told = session.images.kind === 'registry'
    const mayBePulled = new Set(
      used(objects)
        .filter(({ policy }) => policy !== 'Never')
        .map(({ ref }) => ref),
    )
    const answers = told
      ? ('told' as const)
      : await session.tools.askRegistries(
          pulled.filter((ref) => mayBePulled.has(ref)),
          run.signal,
        )
    const shortages = clusterImageShortages(objects, nodes, answers)
    if (shortages.length > 0) {
      const never = shortages.every(({ asks }) => asks.endsWith('Never'))
      throw new LocalCloudError('IMAGE_NOT_SUPPLIED', {
        message: `${overlayWords(systems.map(({ choice }) => choice))} names images that nobody can be seen to have: neither every node nor a registry; nothing was changed.`,
        hint: never
          ? 'Nothing is loaded into nodes that are not ours: have their owner load these images into every node, or choose an overlay that names a registry.'
          : 'Push them to a registry that the overlay names, or have the cluster’s owner load them into every node; where the cluster pulls them and this machine cannot see it, say --images registry.',
        evidence: shortageLines(shortages),
      })
    }
    const all = imagesOf(objects)
    const inNodes = [...all].filter((ref) => isEverywhere(nodes, ref)).length
    return {
      state: 'done',
      reason: `${String(inNodes)} of ${String(all.size)} images are in every node${pulled.length === 0 ? '' : `, the cluster pulls ${String(pulled.length)}${told ? ', as told' : ''}`}`,
    }
  }
  return {
    id: 'image-supply',
    title: 'Images the system names',
    needs,
    timeoutMs: 60_000,
    observe: look,
    apply: () => Promise.resolve(),
    verify: () => Promise.resolve('to be had'),
  }
}
