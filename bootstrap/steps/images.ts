import type { Session } from './session.ts'
import type { Step } from './step.ts'

/** Building everything from packages takes about 25 minutes on two cores; this only ends what hangs. */
const imagesTimeoutMs = 4 * 3_600_000

/** Has every image on this machine, from the chosen source. */
export function imagesStep(session: Session, needs: readonly string[]): Step {
  return {
    id: 'images',
    title: 'Images',
    needs,
    timeoutMs: imagesTimeoutMs,
    async observe(run) {
      const { engine } = await session.look()
      if (!engine) return { state: 'absent', reason: 'no container engine yet' }
      const source = await session.imageSource()
      const observed = await source.observe(run, await session.wantedImages(run))
      return { ...observed, reason: `${observed.reason} (${source.kind}: ${source.why})` }
    },
    async apply(run) {
      const source = await session.imageSource()
      run.progress(`from ${source.kind}: ${source.why}`)
      await session.prepareImages(run)
    },
    async verify(run) {
      const source = await session.imageSource()
      const { loadable, preloaded } = await session.prepareImages(run)
      return `${String(preloaded.length + loadable.length)} images from ${source.kind}: ${source.why}`
    },
  }
}
