import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Engine } from '../../engine/engine.ts'
import type { Paths } from '../../plan/options.ts'
import type { Observation, StepRun } from '../../steps/step.ts'
import { kindProgram } from '../../tools/kind.ts'
import { readBundleManifest, unpackBundle } from '../bundle.ts'
import type { ImageSource, ImageSupply, PreparedImages } from '../image-source.ts'

/** Images out of one archive that `bundle` made on another machine; nothing is asked of any network. */
export function createBundleSource(options: { paths: Paths; engine: Engine; file: string }): ImageSource {
  const { engine, file } = options
  const directory = join(options.paths.cacheDir, 'bundle')

  async function installKind(from: string, version: string): Promise<void> {
    const program = kindProgram(options.paths, version)
    await mkdir(dirname(program), { recursive: true })
    await copyFile(from, `${program}.partial`)
    await chmod(`${program}.partial`, 0o755)
    await rename(`${program}.partial`, program)
  }

  return {
    kind: 'bundle',
    why: `the bundle ${file} was named`,

    async supply(): Promise<ImageSupply> {
      const { preloaded, images } = await readBundleManifest(file)
      return { inNodes: preloaded, loadable: images.map(({ ref }) => ref), madeHere: [], registry: false }
    },

    async observe(run: StepRun): Promise<Observation> {
      const manifest = await readBundleManifest(file)
      // The archive brings the program that makes clusters as well; without a network nobody else does.
      const isComplete =
        existsSync(kindProgram(options.paths, manifest.kind.version)) &&
        (await engine.imageExists(manifest.node.ref, run.signal))
      return isComplete
        ? { state: 'done', reason: `${manifest.node.ref} is in the engine` }
        : { state: 'absent', reason: 'the bundle is to be unpacked and loaded' }
    },

    async prepare(run: StepRun, wanted?: ReadonlySet<string>): Promise<PreparedImages> {
      const manifest = await unpackBundle(file, directory, run)
      await installKind(join(directory, manifest.kind.file), manifest.kind.version)
      if (!(await engine.imageExists(manifest.node.ref, run.signal))) {
        run.progress(`loading ${manifest.node.ref} into the engine`)
        await engine.loadArchive(join(directory, manifest.node.file), run.signal)
      }
      return {
        nodeImage: manifest.node.ref,
        preloaded: manifest.preloaded,
        loadable: manifest.images
          .filter(({ ref }) => wanted?.has(ref) ?? true)
          .map((image) => ({ ref: image.ref, id: image.id, archive: join(directory, image.file) })),
      }
    },
  }
}
