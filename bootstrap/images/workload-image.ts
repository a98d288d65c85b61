import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Paths } from '../plan/options.ts'
import { runCommand } from '../process/run-command.ts'
import type { LoadableImage } from '../providers/provider.ts'
import { createAssembler, outputPath } from './assemble.ts'
import { filesBelow, type BuiltComponent } from './component-cache.ts'
import { componentsOfImage, dependencyComponent } from './components-of-image.ts'
import type { NodeImageFile } from './node/node-image.ts'
import { makeImage } from './oci/image.ts'
import { writeLayer, type Layer, type LayerEntry } from './oci/layer.ts'
import { storeImage } from './stored-image.ts'
import type { ImageRecipe, Versions } from './versions.ts'

/** `image.yaml` beside a workload's Containerfile: the same image, described for the build from packages. */
const workloadSchema = z.strictObject({
  image: z.string(),
  /** Node version that the base must have. */
  node: z.string(),
  copy: z.array(z.strictObject({ from: z.string(), to: z.string() })),
  /** Locked npm packages; absent for a workload that needs none. */
  dependencies: z.strictObject({ lock: z.string(), to: z.string() }).exactOptional(),
  env: z.record(z.string(), z.string()),
  /** Run once over the finished files, so that the code it loads is in the image compiled. */
  warmUp: z.strictObject({ directory: z.string(), command: z.array(z.string()).min(1) }).optional(),
  user: z.string().regex(/^\d+:\d+$/),
  workdir: z.string(),
  entrypoint: z.array(z.string()),
  ports: z.array(z.number()),
  stopSignal: z.string(),
  labels: z.record(z.string(), z.string()),
})

type Workload = z.infer<typeof workloadSchema>

/** Image under every workload of ours, in every node already. */
const baseRef = 'docker.io/library/node:24-trixie-slim'

/** Raised when this module makes something else of the same input. */
const generation = 1

/**
 * Key of a workload's image: its folder, the folders beside it that it copies from, the locked dependencies and the node image that
 * holds its base. 16 hexadecimal digits.
 */
export async function workloadKey(
  repo: string,
  recipe: ImageRecipe,
  componentKeys: ReadonlyMap<string, string>,
  nodeKey: string,
): Promise<string> {
  const root = join(repo, recipe.source ?? '')
  const hash = createHash('sha256').update(
    JSON.stringify([generation, recipe, componentKeys.get(dependencyComponent(recipe)), nodeKey]),
  )
  for (const folder of ['.', ...(await foldersBeside(root))]) {
    for (const file of await filesBelow(join(root, folder))) {
      if (!isTest(file))
        hash.update(`\0${join(folder, file)}\0`).update(await readFile(join(root, folder, file)))
    }
  }
  return hash.digest('hex').slice(0, 16)
}

/** Names of the components that {@link buildWorkload} takes: those of the base and of its warm-up, and its dependencies. */
export const workloadComponents = ({ images }: Versions, recipe: ImageRecipe): string[] => [
  'node-runtime',
  ...images.filter(({ ref }) => ref === baseRef).flatMap(componentsOfImage),
  ...componentsOfImage(recipe),
]

const isTest = (file: string): boolean => file.startsWith('tests/') || file.endsWith('.test.ts')

/** Folders beside a workload's own from which its image.yaml copies, as `../NAME`; a file that is no good has none. */
export async function foldersBeside(root: string): Promise<string[]> {
  const value = parse(await readFile(join(root, 'image.yaml'), 'utf8').catch(() => '')) as {
    copy?: { from?: unknown }[]
  } | null
  const beside = (value?.copy ?? []).flatMap(({ from }) =>
    typeof from === 'string' && from.startsWith('../') ? from.split('/').slice(0, 2).join('/') : [],
  )
  return [...new Set(beside)].sort()
}

/**
 * Builds a workload of ours on a base that every node holds already, so that its archive has the workload's own layers only.
 * @throws LocalCloudError BAD_VERSIONS_FILE when its image.yaml does not have the required form.
 */
export async function buildWorkload(job: {
  paths: Paths
  recipe: ImageRecipe
  key: string
  versions: Versions
  components: ReadonlyMap<string, BuiltComponent>
  node: NodeImageFile
  signal: AbortSignal
}): Promise<LoadableImage> {
  const { paths, recipe, versions } = job
  const root = join(paths.repo, recipe.source ?? '')
  const checked = workloadSchema.safeParse(parse(await readFile(join(root, 'image.yaml'), 'utf8')))
  if (!checked.success) {
    const problems = checked.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new LocalCloudError('BAD_VERSIONS_FILE', {
      message: `${String(recipe.source)}/image.yaml is not valid: ${problems.join('; ')}`,
    })
  }
  const description = checked.data
  const baseRecipe = versions.images.find((image) => image.ref === baseRef)
  const base = job.node.preloaded.find((image) => image.ref === baseRef)
  if (!baseRecipe || !base) {
    throw new LocalCloudError('BAD_VERSIONS_FILE', {
      message: `${String(recipe.source)} needs ${baseRef}, which images/versions.yaml does not preload.`,
    })
  }

  return storeImage({ cacheDir: paths.cacheDir, ref: recipe.ref, key: job.key }, async (work) => {
    const assembler = createAssembler({
      repo: paths.repo,
      layersDirectory: work,
      components: job.components,
      signal: job.signal,
    })
    const baseImage = await assembler.image(baseRecipe)
    const dependencies = description.dependencies && {
      to: description.dependencies.to,
      archive: outputPath(job.components, `${dependencyComponent(recipe)}/node_modules`),
    }
    const layers = [
      ...baseImage.layers,
      ...(dependencies
        ? [
            await writeLayer(
              [{ kind: 'tree', path: dependencies.to, archive: dependencies.archive }],
              join(work, 'dependencies.tar'),
            ),
          ]
        : []),
      await writeLayer(await ownEntries(root, description.copy), join(work, 'own.tar')),
      ...(await warmLayer(description, {
        root,
        work,
        ...(dependencies ? { dependencies } : {}),
        node: outputPath(job.components, 'node-runtime/node'),
        signal: job.signal,
      })),
    ]
    const image = makeImage(recipe.ref, layers, {
      entrypoint: description.entrypoint,
      workingDirectory: description.workdir,
      user: description.user,
      environment: description.env,
      stopSignal: description.stopSignal,
      labels: { ...description.labels, 'io.local-cloud.managed': 'true' },
    })
    return { image, elsewhere: new Set(base.layers) }
  })
}

type Copies = readonly { from: string; to: string }[]

/**
 * What the workload's warm-up leaves behind: Node's compile cache of all its code, made by the same Node outside the image. Its
 * entries are portable (Node documents NODE_COMPILE_CACHE_PORTABLE), so that only paths relative to the cache matter.
 */
async function warmLayer(
  description: Workload,
  from: {
    root: string
    work: string
    dependencies?: { to: string; archive: string }
    node: string
    signal: AbortSignal
  },
): Promise<Layer[]> {
  const { warmUp } = description
  if (!warmUp) return []
  const image = join(from.work, 'image')
  const [uid, gid] = description.user.split(':').map(Number)
  for (const { from: source, to } of description.copy)
    await cp(join(from.root, source), join(image, to), { recursive: true })
  if (from.dependencies) {
    const { to, archive } = from.dependencies
    await mkdir(join(image, to), { recursive: true })
    await runCommand('tar', ['-xf', archive, '-C', join(image, to)], {
      signal: from.signal,
      errorCode: 'BUILD_FAILED',
    })
  }
  const cache = join(image, warmUp.directory)
  await mkdir(cache, { recursive: true })
  const [, ...argv] = warmUp.command
  await runCommand(
    from.node,
    argv.map((word) => (word.startsWith('/') ? join(image, word) : word)),
    {
      signal: from.signal,
      cwd: join(image, description.workdir),
      env: { ...description.env, NODE_COMPILE_CACHE: cache },
      errorCode: 'BUILD_FAILED',
    },
  )
  // Node keeps the entries of each user in a folder of their own, named `<version>-<arch>-<flags>-<uid>`.
  for (const folder of await readdir(cache))
    await rename(join(cache, folder), join(cache, folder.replace(/-\d+$/, `-${String(uid)}`)))
  await runCommand('tar', ['-cf', join(from.work, 'warm-files.tar'), '-C', cache, '.'], {
    signal: from.signal,
    errorCode: 'BUILD_FAILED',
  })
  return [
    await writeLayer(
      [
        {
          kind: 'directory',
          path: warmUp.directory,
          ...(uid === undefined ? {} : { uid }),
          ...(gid === undefined ? {} : { gid }),
        },
        {
          kind: 'tree',
          path: warmUp.directory,
          archive: join(from.work, 'warm-files.tar'),
          ...(uid === undefined ? {} : { uid }),
          ...(gid === undefined ? {} : { gid }),
        },
      ],
      join(from.work, 'warm.tar'),
    ),
  ]
}

async function ownEntries(root: string, copies: Copies): Promise<LayerEntry[]> {
  const entries: LayerEntry[] = []
  for (const { from, to } of copies) {
    const source = join(root, from)
    if ((await stat(source)).isFile()) {
      entries.push(await fileEntry(source, to))
      continue
    }
    for (const file of await filesBelow(source)) {
      if (!isTest(file)) entries.push(await fileEntry(join(source, file), `${to}/${file}`))
    }
  }
  return entries
}

const fileEntry = async (source: string, path: string): Promise<LayerEntry> => ({
  kind: 'file',
  path,
  source,
  mode: (await stat(source)).mode & 0o111 ? 0o755 : 0o644,
})
