import type { Engine } from '../../bootstrap/engine/engine.ts'
import type { PreparedImages } from '../../bootstrap/images/image-source.ts'
import { createPackagesSource } from '../../bootstrap/images/sources/packages.ts'
import type { Paths } from '../../bootstrap/plan/options.ts'

/** The images that are built from packages, in the engine; out of the cache where it has them. */
export const builtImages = (engine: Engine, paths: Paths, signal: AbortSignal): Promise<PreparedImages> =>
  createPackagesSource({
    paths,
    engine,
    install: true,
    why: 'a suite needs them',
    emit: () => undefined,
  }).prepare({ signal, progress: () => undefined })
