import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import pLimit from 'p-limit'
import { managedLabel, type Engine } from '../../engine/engine.ts'
import type { MakerName, Paths } from '../../plan/options.ts'
import { runCommand } from '../../process/run-command.ts'
import type { LoadableImage } from '../../providers/provider.ts'
import type { Observation, StepRun } from '../../steps/step.ts'
import type { ImageSource, ImageSupply, PreparedImages } from '../image-source.ts'
import { readArchive } from '../oci/read-archive.ts'
import { isChosen, readVersions, refsOf, type ImageRecipe, type Versions } from '../versions.ts'
import { foldersBeside } from '../workload-image.ts'

export interface RegistrySourceOptions {
  paths: Paths
  engine: Engine
  /** Whose nodes the images are for; default kind. */
  provider?: MakerName
  why: string
}

/** A pull that takes longer than this is hung. */
const pullTimeoutMs = 10 * 60_000

/** Reference of the upstream image for the nodes of a provider: kind's, or the first release of k3s for this Kubernetes. */
export const upstreamNodeImage = (versions: Versions, provider: MakerName = 'kind'): string =>
  provider === 'k3s'
    ? `docker.io/rancher/k3s:${versions.kubernetes}-k3s1`
    : `docker.io/kindest/node:${versions.kubernetes}`

/** Images that are pulled and loaded into nodes: all but those that the upstream node image holds and those we build. */
const pulledRecipes = (versions: Versions): ImageRecipe[] =>
  versions.images.filter(
    (image) => image.role !== 'node' && image.source === undefined && image.role !== 'base',
  )

/**
 * Images pulled by the engine under their upstream names, through whatever mirrors the engine is configured with; workloads of ours
 * are built by the engine from their Containerfile.
 */
export function createRegistrySource(options: RegistrySourceOptions): ImageSource {
  const { engine, paths } = options
  return {
    kind: 'registry',
    why: options.why,

    async supply(): Promise<ImageSupply> {
      const versions = await readVersions(paths.repo)
      const madeHere = versions.images.filter((image) => image.source !== undefined).flatMap(refsOf)
      return {
        inNodes: [],
        loadable: [...pulledRecipes(versions).map(({ ref }) => ref), ...madeHere],
        madeHere,
        registry: true,
      }
    },

    async observe(run: StepRun, wanted?: ReadonlySet<string>): Promise<Observation> {
      const versions = await readVersions(paths.repo)
      const needed = [
        upstreamNodeImage(versions, options.provider),
        ...versions.images
          .filter((image) => image.role !== 'node' && image.role !== 'base' && isChosen(image, wanted))
          .map((image) => image.ref),
      ]
      const there = await Promise.all(needed.map((ref) => engine.imageExists(ref, run.signal)))
      const missing = needed.filter((_, index) => there[index] !== true)
      if (missing.length === 0)
        return { state: 'done', reason: `${String(needed.length)} images are in the engine` }
      return {
        state: missing.length === needed.length ? 'absent' : 'partial',
        reason: `${String(missing.length)} of ${String(needed.length)} images are to be pulled or built`,
      }
    },

    async prepare(run: StepRun, wanted?: ReadonlySet<string>): Promise<PreparedImages> {
      const versions = await readVersions(paths.repo)
      const node = upstreamNodeImage(versions, options.provider)
      const isWanted = (ref: string): boolean => wanted?.has(ref) ?? true
      const recipes = pulledRecipes(versions).filter((recipe) => isChosen(recipe, wanted))
      const limit = pLimit(3)
      let pulled = 0
      const bases = versions.images.filter((image) => image.role === 'base')
      const refs = [node, ...[...bases, ...recipes].map((recipe) => recipe.ref)]
      await Promise.all(
        refs.map((ref) =>
          limit(async () => {
            if (!(await engine.imageExists(ref, run.signal))) {
              run.progress(`pulling ${ref} (${String(pulled)} of ${String(refs.length)} done)`)
              await engine.pull(ref, { timeoutMs: pullTimeoutMs, signal: run.signal })
            }
            pulled += 1
          }),
        ),
      )
      const built: string[] = []
      for (const recipe of versions.images.filter(
        (image) => image.source !== undefined && isChosen(image, wanted),
      )) {
        run.progress(`building ${recipe.ref}`)
        await buildWorkload(recipe, run)
        built.push(...refsOf(recipe).filter(isWanted))
        for (const alias of recipe.aliases?.filter(isWanted) ?? [])
          await engine.tag(recipe.ref, alias, run.signal)
      }
      run.progress('writing the images for the nodes')
      return {
        nodeImage: node,
        preloaded: [],
        loadable: await archived([...recipes.map((recipe) => recipe.ref).filter(isWanted), ...built], run),
      }
    },
  }

  /**
   * The engine's build needs no network: the locked dependencies are installed beside the sources first. Its context is what holds the
   * workload's folder, with that folder and those beside it that it copies from.
   */
  async function buildWorkload(recipe: ImageRecipe, run: StepRun): Promise<void> {
    const source = join(paths.repo, recipe.source ?? '')
    await mkdir(paths.cacheDir, { recursive: true })
    const context = await mkdtemp(join(paths.cacheDir, 'context-'))
    const folder = join(context, basename(source))
    try {
      for (const part of ['.', ...(await foldersBeside(source))]) {
        const from = join(source, part)
        await cp(from, join(context, basename(from)), {
          recursive: true,
          filter: (path) => !/\/(node_modules|tests)$/.test(path),
        })
      }
      if (existsSync(join(folder, 'package-lock.json'))) {
        await runCommand(
          'npm',
          ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
          { signal: run.signal, cwd: folder, errorCode: 'BUILD_FAILED' },
        )
      }
      await engine.build(
        {
          containerfile: join(folder, 'Containerfile'),
          context,
          tag: recipe.ref,
          labels: { [managedLabel]: 'true' },
        },
        run.signal,
      )
    } finally {
      await rm(context, { recursive: true, force: true })
    }
  }

  async function archived(refs: readonly string[], run: StepRun): Promise<LoadableImage[]> {
    const directory = join(paths.cacheDir, 'registry')
    await mkdir(directory, { recursive: true })
    const limit = pLimit(2)
    const loadable = await Promise.all(
      refs.map((ref) =>
        limit(async () => {
          const archive = join(
            directory,
            `${createHash('sha256').update(ref).digest('hex').slice(0, 16)}.tar`,
          )
          await engine.saveArchive([ref], `${archive}.partial`, run.signal)
          await rename(`${archive}.partial`, archive)
          const [image] = await readArchive(archive)
          if (!image) throw new Error(`the engine saved no image for ${ref}`)
          return { ref, archive, id: image.id }
        }),
      ),
    )
    const kept = new Set(loadable.map((image) => image.archive))
    for (const file of await readdir(directory))
      if (!kept.has(join(directory, file))) await rm(join(directory, file), { force: true })
    return loadable
  }
}
