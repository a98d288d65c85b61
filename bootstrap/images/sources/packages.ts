import { dirname, join } from 'node:path'
import type { Engine } from '../../engine/engine.ts'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import type { Paths } from '../../plan/options.ts'
import { throwIfAborted } from '../../process/run-command.ts'
import type { Emit } from '../../report/events.ts'
import { withLock } from '../../state/lock.ts'
import type { Observation, StepRun } from '../../steps/step.ts'
import { buildComponents, componentKeys, missingComponents, removeBuildCaches } from '../build-components.ts'
import { chosenImages } from '../chosen-images.ts'
import { ensureBuildTools, requireBuildSpace } from '../build-tools.ts'
import type { BuiltComponent } from '../component-cache.ts'
import { componentsOfImage } from '../components-of-image.ts'
import type { ImageSource, ImageSupply, PreparedImages } from '../image-source.ts'
import { buildLayeredImage, layeredImageKey } from '../layered-image.ts'
import {
  buildNodeImage,
  findNodeImage,
  nodeImageKey,
  nodeImageLabel,
  nodeImageName,
  nodeImageRef,
  preloadedRecipes,
  type NodeImageFile,
} from '../node/node-image.ts'
import { renameArchive } from '../oci/rename-archive.ts'
import { findStoredImage } from '../stored-image.ts'
import { readVersions, refsOf, type ImageRecipe, type Versions } from '../versions.ts'
import { buildWorkload, workloadComponents, workloadKey } from '../workload-image.ts'
import type { LoadableImage } from '../../providers/provider.ts'

export interface PackagesSourceOptions {
  paths: Paths
  engine: Engine
  install: boolean
  why: string
  emit: Emit
}

/**
 * Images built on this machine from Go modules, npm and Debian packages; no container registry is asked. The node image holds every
 * preloaded image, the others are archives beside it, those that are optional only when they are wanted.
 */
export function createPackagesSource(options: PackagesSourceOptions): ImageSource {
  const { paths, engine } = options

  interface Look {
    versions: Versions
    keys: Map<string, string>
    key: string
    ref: string
  }

  async function look(wanted?: ReadonlySet<string>): Promise<Look> {
    const versions = chosenImages(await readVersions(paths.repo), wanted)
    const keys = await componentKeys(paths.repo, versions)
    const key = await nodeImageKey(paths.repo, versions, keys)
    return { versions, keys, key, ref: nodeImageRef(versions, key) }
  }

  return {
    kind: 'packages',
    why: options.why,

    async supply(): Promise<ImageSupply> {
      const versions = await readVersions(paths.repo)
      const loadable = loadedRecipes(versions).flatMap(refsOf)
      return {
        inNodes: preloadedRecipes(versions).map(({ ref }) => ref),
        loadable,
        madeHere: loadable,
        registry: false,
      }
    },

    async observe(run: StepRun, wanted?: ReadonlySet<string>): Promise<Observation> {
      const { versions, keys, key, ref } = await look(wanted)
      if (!(await findNodeImage(paths.cacheDir, key, { verify: false }))) {
        const missing = await missingComponents(paths, keys)
        return missing.length > 0
          ? {
              state: missing.length === keys.size ? 'absent' : 'partial',
              reason: `${String(missing.length)} of ${String(keys.size)} components are to be built`,
            }
          : { state: 'partial', reason: 'every component is built, the node image is to be assembled' }
      }
      if (!(await engine.imageExists(ref, run.signal)))
        return { state: 'partial', reason: 'the node image is to be loaded into the engine' }
      for (const recipe of loadedRecipes(versions)) {
        if (!(await findStoredImage(paths.cacheDir, recipe.ref, await loadedKey(recipe, keys, key)))) {
          return { state: 'partial', reason: `${recipe.ref} is to be built` }
        }
      }
      return { state: 'done', reason: `${ref} is in the engine` }
    },

    // The cache may be shared between checkouts: one process at a time changes it.
    async prepare(run: StepRun, wanted?: ReadonlySet<string>): Promise<PreparedImages> {
      const looked = await look(wanted)
      await requireSpace(looked)
      return withLock(
        { ...paths, stateDir: paths.cacheDir },
        'images',
        { emit: options.emit, signal: run.signal },
        () => prepare(run, looked, wanted),
      )
    },
  }

  /** Before anything is written there, the lock included. */
  async function requireSpace({ versions, keys, key }: Look): Promise<void> {
    if (await findNodeImage(paths.cacheDir, key, { verify: false })) return
    await requireBuildSpace({
      cacheDir: paths.cacheDir,
      compile: mustCompile(versions, await missingComponents(paths, keys)),
    })
  }

  function loadedKey(
    recipe: ImageRecipe,
    keys: ReadonlyMap<string, string>,
    nodeKey: string,
  ): Promise<string> {
    return recipe.source === undefined
      ? layeredImageKey(paths.repo, recipe, keys)
      : workloadKey(paths.repo, recipe, keys, nodeKey)
  }

  async function prepare(
    run: StepRun,
    { versions, keys, key, ref }: Look,
    wanted?: ReadonlySet<string>,
  ): Promise<PreparedImages> {
    const node = await ensureNode(run, versions, keys, key)
    if (!(await engine.imageExists(ref, run.signal))) {
      run.progress('loading the node image into the engine')
      await engine.loadArchive(node.archive, run.signal)
      await removeOlderNodeImages(ref, run)
    }
    return {
      nodeImage: ref,
      nodeArchive: { path: node.archive, id: node.id },
      preloaded: preloadedRecipes(versions).map((recipe) => recipe.ref),
      loadable: (
        await Promise.all(
          (await loaded(run, versions, keys, node, key)).map(({ recipe, image }) =>
            named(recipe, image, wanted),
          ),
        )
      ).flat(),
    }
  }

  /** Two gigabytes each; one that a cluster still uses stays until that cluster is gone. */
  async function removeOlderNodeImages(current: string, run: StepRun): Promise<void> {
    for (const image of await engine.listImages(nodeImageLabel, run.signal)) {
      for (const old of image.refs.filter((name) => name.startsWith(nodeImageName) && name !== current)) {
        await engine.removeImage(old, run.signal).catch((error: unknown) => {
          throwIfAborted(run.signal)
          if (!(error instanceof LocalCloudError)) throw error
        })
      }
    }
  }

  async function ensureNode(
    run: StepRun,
    versions: Versions,
    keys: ReadonlyMap<string, string>,
    key: string,
  ): Promise<NodeImageFile> {
    const inEngine = await engine.imageExists(nodeImageRef(versions, key), run.signal)
    const found = await findNodeImage(paths.cacheDir, key, { verify: !inEngine })
    if (found) return found
    await getReady(run, versions, await missingOf(versions, keys))
    const node = await buildNodeImage(
      {
        repo: paths.repo,
        cacheDir: paths.cacheDir,
        versions,
        components: await components(run, versions),
        signal: run.signal,
        progress: (message) => {
          run.progress(message)
        },
      },
      key,
    )
    await removeBuildCaches(paths.cacheDir)
    return node
  }

  async function missingOf(versions: Versions, keys: ReadonlyMap<string, string>): Promise<string[]> {
    return (await missingComponents(paths, keys)).filter((name) => name in versions.components)
  }

  /** Says what is to be built, and has what it takes. */
  async function getReady(run: StepRun, versions: Versions, missing: readonly string[]): Promise<void> {
    if (missing.length > 0) {
      options.emit({
        type: 'notice',
        level: 'info',
        message: `${String(missing.length)} of ${String(Object.keys(versions.components).length)} components are built now, into ${paths.cacheDir}: all of them take about 40 minutes on two cores, once. --cache-dir names a folder of another checkout that has them.`,
      })
    }
    await ensureBuildTools({
      cacheDir: paths.cacheDir,
      install: options.install,
      compile: mustCompile(versions, missing),
      signal: run.signal,
      emit: options.emit,
    })
  }

  /** Every component of these versions, built where it is missing. */
  function components(run: StepRun, versions: Versions): Promise<Map<string, BuiltComponent>> {
    return buildComponents({
      paths,
      versions,
      signal: run.signal,
      emit: options.emit,
      progress: (message) => {
        run.progress(message)
      },
    })
  }

  /** Images beside the node image, each built where it is missing, with no components but its own. */
  async function loaded(
    run: StepRun,
    versions: Versions,
    keys: ReadonlyMap<string, string>,
    node: NodeImageFile,
    nodeKey: string,
  ): Promise<{ recipe: ImageRecipe; image: LoadableImage }[]> {
    const { signal } = run
    const { repo, cacheDir } = paths
    const images: { recipe: ImageRecipe; image: LoadableImage }[] = []
    let compiled = false
    for (const recipe of loadedRecipes(versions)) {
      const key = await loadedKey(recipe, keys, nodeKey)
      const found = await findStoredImage(cacheDir, recipe.ref, key)
      if (found) {
        images.push({ recipe, image: found })
        continue
      }
      run.progress(`building ${recipe.ref}`)
      const own = only(
        versions,
        recipe.source === undefined ? componentsOfImage(recipe) : workloadComponents(versions, recipe),
      )
      const missing = await missingOf(own, keys)
      if (missing.length > 0) {
        await getReady(run, own, missing)
        compiled = true
      }
      const built = await components(run, own)
      images.push({
        recipe,
        image: await (recipe.source === undefined
          ? buildLayeredImage({ repo, cacheDir, recipe, key, components: built, signal })
          : buildWorkload({ paths, recipe, key, versions, components: built, node, signal })),
      })
    }
    if (compiled) await removeBuildCaches(cacheDir)
    return images
  }
}

const mustCompile = ({ components }: Versions, missing: readonly string[]): boolean =>
  missing.some((name) => components[name]?.builder === 'go')

const only = (versions: Versions, names: readonly string[]): Versions => ({
  ...versions,
  components: Object.fromEntries(
    Object.entries(versions.components).filter(([name]) => names.includes(name)),
  ),
})

const loadedRecipes = (versions: Versions): ImageRecipe[] => versions.images.filter((image) => !image.preload)

/** The image once for every wanted one of its references, each as an archive of its own beside the first. */
async function named(
  recipe: ImageRecipe,
  image: LoadableImage,
  wanted: ReadonlySet<string> | undefined,
): Promise<LoadableImage[]> {
  return Promise.all(
    refsOf(recipe)
      .filter((ref) => wanted?.has(ref) ?? true)
      .map(async (ref) => {
        if (ref === image.ref) return image
        const archive = join(dirname(image.archive), `${ref.replaceAll(/[^\w.-]/g, '-')}.tar`)
        await renameArchive(image.archive, archive, ref)
        return { ...image, ref, archive }
      }),
  )
}
