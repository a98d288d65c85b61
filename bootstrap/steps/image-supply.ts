import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { imageShortages, imagesOf, pulledInstead } from '../fit/images.ts'
import { shortageLines } from '../fit/shortage.ts'
import { diffCommand, overlayWords, type SystemChoice } from '../manifests/system-choice.ts'
import type { Session } from './session.ts'
import type { Step } from './step.ts'
import type { Render } from './system.ts'

/**
 * Finds out before anything is built whether every image that the system names can come into the nodes.
 * @throws LocalCloudError IMAGE_NOT_SUPPLIED with every image that cannot, from `observe`.
 */
export function imageSupplyStep(
  session: Session,
  { choices, render, needs }: { choices: readonly SystemChoice[]; render: Render; needs: readonly string[] },
): Step {
  return {
    id: 'image-supply',
    title: 'Images the system names',
    needs,
    timeoutMs: 60_000,
    async observe(run) {
      const objects = await render(run)
      const [first] = choices
      if (!first || objects.length === 0) return { state: 'done', reason: 'none' }
      const { engine } = await session.look()
      if (!engine) return { state: 'absent', reason: 'no container engine yet' }
      const source = await session.imageSource()
      const supply = await source.supply(run.signal)
      const shortages = imageShortages(objects, supply)
      if (shortages.length > 0) {
        throw new LocalCloudError('IMAGE_NOT_SUPPLIED', {
          message: `${overlayWords(choices)} names images that never come into a node with images from ${source.kind} (${source.why}); nothing was changed.`,
          hint: `Choose another overlay, or --images registry with a registry that has them. To have the API server judge it all the same: ${diffCommand(first)}`,
          evidence: shortageLines(shortages),
        })
      }
      for (const ref of pulledInstead(objects, supply)) {
        session.emit({
          type: 'notice',
          level: 'warning',
          message: `Nodes pull ${ref} themselves (imagePullPolicy Always); what is built here under that name is not used.`,
        })
      }
      const count = imagesOf(objects).size
      return { state: 'done', reason: `${String(count)} images, all to be had from ${source.kind}` }
    },
    apply: () => Promise.resolve(),
    verify: () => Promise.resolve('to be had'),
  }
}
