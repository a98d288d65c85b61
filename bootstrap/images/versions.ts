import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { LocalCloudError } from '../errors/local-cloud-error.ts'

const common = { version: z.string().min(1) }

const goComponent = z.strictObject({
  ...common,
  builder: z.literal('go'),
  /** Module whose own directory is built; without it `directory` is a main module of ours. */
  module: z.string().optional(),
  /** Folder under images/ that takes part in the build. */
  directory: z.string().optional(),
  /** Program name → package to build. */
  programs: z.record(z.string(), z.string()),
  /** Source folders of the module to keep: output name → path in the module. */
  sources: z.record(z.string(), z.string()).optional(),
  tags: z.array(z.string()).optional(),
  ldflags: z.array(z.string()).optional(),
  /** Module → replacement: `./folder` below `directory`, or `module@version`. */
  replace: z.record(z.string(), z.string()).optional(),
  /** File of a dependency → what is compiled in its place, `./file` below `directory`. The module is then built from a copy with vendored dependencies. */
  vendor: z.record(z.string(), z.string().startsWith('./', 'must be ./FILE below directory')).optional(),
  cgo: z
    .strictObject({
      debianHeaders: z.array(z.string()).default([]),
      moduleHeaders: z
        .array(z.strictObject({ module: z.string(), version: z.string(), file: z.string(), as: z.string() }))
        .default([]),
    })
    .optional(),
})

const npmComponent = z.strictObject({
  ...common,
  builder: z.literal('npm'),
  /** Only its package.json and package-lock.json are used. */
  directory: z.string(),
  /** Output name → path after `npm ci`. */
  take: z.record(z.string(), z.string()),
})

const debianComponent = z.strictObject({
  ...common,
  builder: z.literal('debian'),
  packages: z.array(z.string()).optional(),
  /** Packages to unpack without a root file system around them. */
  extractOnly: z.array(z.string()).optional(),
  /** Paths (globs) left out of the root file system. */
  exclude: z.array(z.string()).optional(),
})

const cComponent = z.strictObject({
  ...common,
  builder: z.literal('c'),
  /** Folder below images/ with a `build.ts` that says what the compiler is to do. */
  directory: z.string(),
})

const componentSchema = z.discriminatedUnion('builder', [
  goComponent,
  npmComponent,
  debianComponent,
  cComponent,
])

const layerSchema = z.strictObject({
  /** A component's root file system. */
  rootfs: z.string().optional(),
  base: z.enum(['static', 'busybox']).optional(),
  /** Path in the image → `component/output`. */
  files: z.record(z.string(), z.string()).optional(),
  trees: z.record(z.string(), z.string()).optional(),
  /** Path in the image → link target. */
  links: z.record(z.string(), z.string()).optional(),
  /** Path in the image → file under images/. */
  own: z.record(z.string(), z.string()).optional(),
})

const imageSchema = z.strictObject({
  ref: z.string(),
  role: z.enum(['node', 'addon', 'base', 'workload']),
  preload: z.boolean(),
  /** Pulled from a registry, or unless preloaded built, only for a cluster that runs it. */
  optional: z.boolean().optional(),
  layers: z.array(layerSchema).optional(),
  /** Folder of a workload of ours with a Containerfile and an image.yaml. */
  source: z.string().optional(),
  /** Other references of a workload of ours: it is built once, and loaded under those that are used. */
  aliases: z.array(z.string()).optional(),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  user: z.string().optional(),
  stopSignal: z.string().optional(),
})

const versionsSchema = z.strictObject({
  kubernetes: z.string(),
  kind: z.string(),
  components: z.record(z.string(), componentSchema),
  images: z.array(imageSchema),
})

export type Versions = z.infer<typeof versionsSchema>
export type Component = z.infer<typeof componentSchema>
export type GoComponent = z.infer<typeof goComponent>
export type NpmComponent = z.infer<typeof npmComponent>
export type CComponent = z.infer<typeof cComponent>
export type DebianComponent = z.infer<typeof debianComponent>
export type ImageRecipe = z.infer<typeof imageSchema>
export type LayerRecipe = z.infer<typeof layerSchema>

/**
 * Reads images/versions.yaml, the one place where versions stand.
 * @throws LocalCloudError BAD_VERSIONS_FILE naming every field that is wrong, including references to components that do not exist.
 */
export async function readVersions(repo: string): Promise<Versions> {
  const file = join(repo, 'images', 'versions.yaml')
  return parseVersions(await readFile(file, 'utf8'))
}

/** As {@link readVersions}, from text. */
export function parseVersions(text: string): Versions {
  const result = versionsSchema.safeParse(parse(text))
  if (!result.success) {
    throw bad(result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`))
  }
  const versions = result.data
  const unknown = versions.images.flatMap((image) =>
    (image.layers ?? []).flatMap((layer) =>
      componentsOfLayer(layer)
        .filter((name) => !(name in versions.components))
        .map((name) => `images.${image.ref}: no component is called ${name}`),
    ),
  )
  const contradictory = Object.entries(versions.components).flatMap(([name, component]) =>
    component.builder === 'go' && component.vendor !== undefined ? vendorProblems(name, component) : [],
  )
  const problems = [...unknown, ...contradictory]
  if (problems.length > 0) throw bad(problems)
  return versions
}

/** Every reference of an image. */
export const refsOf = ({ ref, aliases = [] }: ImageRecipe): string[] => [ref, ...aliases]

/** Whether an image is made for a cluster whose pods run `wanted`, by their full references: an optional one only when it is among them. */
export const isChosen = (image: ImageRecipe, wanted?: ReadonlySet<string>): boolean =>
  image.optional !== true || refsOf(image).some((ref) => wanted?.has(ref) === true)

/** Names of the components that a layer is made of. */
export function componentsOfLayer(layer: LayerRecipe): string[] {
  const outputs = [...Object.values(layer.files ?? {}), ...Object.values(layer.trees ?? {})]
  return [
    ...new Set([
      ...(layer.rootfs === undefined ? [] : [layer.rootfs]),
      ...(layer.base === 'busybox' ? ['busybox-rootfs'] : []),
      ...outputs.map((output) => output.slice(0, output.indexOf('/'))),
    ]),
  ]
}

const vendorProblems = (name: string, { directory, replace }: GoComponent): string[] => [
  ...(directory === undefined
    ? [`components.${name}: vendor takes its files from directory, which is missing`]
    : []),
  ...(replace === undefined ? [] : [`components.${name}: vendor and replace exclude each other`]),
]

const bad = (problems: string[]): LocalCloudError =>
  new LocalCloudError('BAD_VERSIONS_FILE', {
    message: `images/versions.yaml is not valid: ${problems.join('; ')}`,
    evidence: problems,
  })
