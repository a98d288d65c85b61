import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { LoadableImage } from '../providers/provider.ts'
import type { Session } from './session.ts'
import type { Step, StepRun } from './step.ts'

const idsOf = (images: readonly LoadableImage[]): Record<string, string> =>
  Object.fromEntries(images.map(({ ref, id }) => [ref, id]))

/** Ids by reference of the images that this run prepared, or else of those that the cluster remembers. */
export async function loadedIds(session: Session): Promise<Readonly<Record<string, string>>> {
  const prepared = session.prepared()
  return prepared ? idsOf(prepared.loadable) : ((await session.look()).record?.images?.ids ?? {})
}

/** Loads those of the prepared images that have one of these references into the nodes, for who cannot wait for the rest. */
export async function loadNow(session: Session, refs: readonly string[], run: StepRun): Promise<void> {
  const images = (session.prepared()?.loadable ?? []).filter((image) => refs.includes(image.ref))
  if (images.length > 0) await (await session.provider()).loadImages(session.name, images, run)
}

export interface LoadImagesOptions {
  /** Loaded by the step that needs them first. */
  early: readonly string[]
  /** Full references of everything that pods of the plan run. */
  wanted: (run: StepRun) => Promise<ReadonlySet<string>>
  needs: readonly string[]
}

/** Has every wanted image that the source can load in every node. */
export function loadImagesStep(session: Session, { early, wanted, needs }: LoadImagesOptions): Step {
  return {
    id: 'load-images',
    title: 'Images in the nodes',
    needs,
    timeoutMs: 20 * 60_000,
    async observe(run) {
      const { cluster, record } = await session.look()
      if (!cluster) return { state: 'absent', reason: `no cluster ${session.name}` }
      const loaded = record?.images
      if (!loaded) return { state: 'absent', reason: 'none loaded yet' }
      const { loadable } = await (await session.imageSource()).supply(run.signal)
      const used = await wanted(run)
      const missing = loadable.filter((ref) => used.has(ref) && loaded.ids[ref] === undefined)
      if (missing.length > 0) return { state: 'partial', reason: `not loaded yet: ${missing.join(', ')}` }
      const prepared = session.prepared()
      const newer = (prepared?.loadable ?? []).filter(({ ref, id }) => loaded.ids[ref] !== id)
      if (
        prepared &&
        prepared.preloaded.length > 0 &&
        loaded.node !== undefined &&
        loaded.node !== prepared.nodeImage
      )
        return { state: 'partial', reason: 'the images inside the node image have changed' }
      if (newer.length > 0)
        return { state: 'partial', reason: `not loaded yet: ${newer.map(({ ref }) => ref).join(', ')}` }
      return {
        state: 'done',
        reason: `${String(Object.keys(loaded.ids).length)} loaded from ${loaded.source}`,
      }
    },
    async apply(run) {
      const { loadable, nodeImage, preloaded } = await session.prepareImages(run)
      const { record } = await session.look()
      if (preloaded.length > 0) requireSameNodes(session.name, record?.images?.node, nodeImage)
      const rest = loadable.filter((image) => !early.includes(image.ref))
      if (rest.length > 0) await (await session.provider()).loadImages(session.name, rest, run)
    },
    async verify(run) {
      const { kind, why } = await session.imageSource()
      const { loadable, nodeImage, preloaded } = await session.prepareImages(run)
      const { images } = session
      const file = images.kind === 'bundle' ? images.file : (await session.look()).record?.images?.file
      await session.record({
        images: {
          source: kind,
          why,
          node: nodeImage,
          ids: idsOf(loadable),
          ...(kind === 'bundle' && file !== undefined ? { file } : {}),
        },
      })
      return `${String(loadable.length)} loaded, ${String(preloaded.length)} in the node image`
    },
  }
}

/** Images inside the node image come with new nodes only. */
function requireSameNodes(cluster: string, made: string | undefined, wanted: string): void {
  if (made === undefined || made === wanted) return
  throw new LocalCloudError('CHANGE_NEEDS_RECREATE', {
    message: `The nodes of ${cluster} were made of ${made}; what is built now is ${wanted}, with other images inside.`,
    hint: `Only new nodes hold them: bootstrap/down --name ${cluster}, then up again.`,
  })
}
