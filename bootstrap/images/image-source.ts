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

/** What a source can bring into nodes; nothing is made or fetched to say so. */
export interface ImageSupply {
  /** References that every node has from its start. */
  inNodes: readonly string[]
  /** References that can be loaded into nodes. */
  loadable: readonly string[]
  /** Those of them that are made on this machine and in no registry. */
  madeHere: readonly string[]
  /** Whether there is a registry from which nodes may pull by themselves. */
  registry: boolean
}

/** Where images come from. Methods throw `LocalCloudError` only. */
export interface ImageSource {
  readonly kind: 'registry' | 'packages' | 'bundle'
  /** Why this source was taken: "no registry answered within 3 s". */
  readonly why: string
  supply(signal: AbortSignal): Promise<ImageSupply>
  /** Whether `prepare` has nothing left to do. */
  observe(run: StepRun, wanted?: ReadonlySet<string>): Promise<Observation>
  /**
   * Idempotent and resumable: what is there and matches its digest is not made again. Of the images that are loaded into nodes
   * only those that are `wanted`, by their full references; default all but optional ones.
   */
  prepare(run: StepRun, wanted?: ReadonlySet<string>): Promise<PreparedImages>
}
