import type { LoadableImage } from '../providers/provider.ts'
import type { Observation, StepRun } from '../steps/step.ts'

/** What a cluster needs before it can be created: all of it is on this machine. */
export interface PreparedImages {
  /** Engine reference of the node image, carrying our `managed` label. */
  nodeImage: string
  /** The node image as an archive, where it lies on disk anyway. */
  nodeArchive?: { path: string; id: string }
  /** References that the node image holds already. */
  preloaded: string[]
  /** Images to load into the nodes. */
  loadable: LoadableImage[]
}

/** Where images come from. Methods throw `LocalCloudError` only. */
export interface ImageSource {
  readonly kind: 'registry' | 'packages' | 'bundle'
  /** Why this source was taken: "no registry answered within 3 s". */
  readonly why: string
  observe(run: StepRun): Promise<Observation>
  /** Idempotent and resumable: what is there and matches its digest is not made again. */
  prepare(run: StepRun): Promise<PreparedImages>
}
