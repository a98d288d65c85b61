import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { mostGpus } from './gpu-limits.mjs'
import { gpuStrategies, type GpuChoice } from './gpu-plan.ts'
import { clusterName } from './cluster-name.ts'
import { runtimeClassNames, type RuntimeClassName } from './runtime-classes.mjs'

/** Where things are; all absolute. */
export interface Paths {
  /** The checkout. */
  repo: string
  /** Everything the tool writes, default `<repo>/.local-cloud`. */
  stateDir: string
  /** Built images and downloads, default `<stateDir>/cache`; may be shared between checkouts. */
  cacheDir: string
}

/** What can make a cluster; a folder each under bootstrap/providers. */
export const makerNames = ['kind', 'k3s'] as const
export type MakerName = (typeof makerNames)[number]

/** Where a cluster comes from: what makes it, or `existing` for one that somebody else made and runs. */
export const providerNames = [...makerNames, 'existing'] as const
export type ProviderName = (typeof providerNames)[number]

export type ImagesChoice = { kind: 'auto' | 'registry' | 'packages' } | { kind: 'bundle'; file: string }

/** Everything `up` can be told, checked and with defaults filled in. */
export interface UpOptions {
  paths: Paths
  /** Cluster name, RFC 1123 label of at most 32 characters; default `local-cloud`. */
  name: string
  provider: ProviderName
  /** Context of the user's kubeconfig that leads to the existing cluster; absent for the one that an earlier `up` was told. */
  context?: string
  /** Kubeconfig that has the context, only ever read; absent for those that kubectl reads. */
  kubeconfig?: string
  /** Where the ingress of the existing cluster answers, as `http://192.0.2.7`; absent where nobody told. */
  ingressUrl?: string
  /** 1 to 4. */
  nodes: number
  /** The pod network: Cilium, or what the nodes bring (provider k3s, one node), which enforces no policy. */
  cni: 'cilium' | 'basic'
  /** All, or those named and what they need; by default all, and none on an existing cluster. */
  addons: 'all' | string[]
  engine: 'auto' | 'podman' | 'docker'
  images: ImagesChoice
  /** System to put on the cluster (a folder under overlays/), several with commas between, or `none`: see `systemNames`. */
  system: string
  /** Overlay of every system, default `local`. */
  environment: string
  /** Which models the system has, default `tiny`: see `choicesOf`. */
  models: 'tiny' | 'real'
  /** GPUs of the last node; absent for none. */
  gpu?: GpuChoice
  /** RuntimeClasses beside that of ordinary pods, each once and in order; those that the system names come to them (prepare-up.ts). */
  runtimeClasses: RuntimeClassName[]
  /** Host ports of the ingress, default 8080 and 8443 on 127.0.0.1. */
  httpPort: number
  httpsPort: number
  listenAddress: string
  /** Kubernetes version, must be one of images/versions.yaml. */
  kubernetesVersion: string
  /** Files with kubeadm patches (YAML). */
  kubeadmPatches: string[]
  extraMounts: { hostPath: string; containerPath: string; readOnly: boolean }[]
  /** Whether distribution packages may be installed. */
  install: boolean
  mergeKubeconfig: boolean
  dryRun: boolean
  recreate: boolean
  /** Deadline of the whole command, milliseconds; the build of images from packages is not counted in. */
  timeoutMs: number
}

/** What the checks ask of the world; replaced in tests. */
export interface OptionsWorld {
  /** Overlays by system: `{ slate: ['local', 'prod'] }`. */
  systems(repo: string): Record<string, string[]>
  /** Versions that images/versions.yaml knows; the first is the default. */
  kubernetesVersions(repo: string): string[]
  exists(path: string): boolean
}

/** The file system as it is. */
export const realOptionsWorld: OptionsWorld = {
  systems(repo) {
    const folders = (path: string): string[] =>
      existsSync(path)
        ? readdirSync(path, { withFileTypes: true })
            .filter((entry) => entry.isDirectory())
            .map((entry) => entry.name)
            .sort()
        : []
    const root = join(repo, 'overlays')
    return Object.fromEntries(folders(root).map((system) => [system, folders(join(root, system))]))
  },
  kubernetesVersions(repo) {
    return readKubernetesVersions(parseYaml(readFileSync(join(repo, 'images', 'versions.yaml'), 'utf8')))
  },
  exists: existsSync,
}

const port = z
  .int('a whole number from 1 to 65535')
  .min(1, 'a whole number from 1 to 65535')
  .max(65_535, 'a whole number from 1 to 65535')
const file = z.string()

const upValues = z.object({
  name: z
    .string()
    .regex(
      clusterName,
      'at most 32 lower-case letters, digits and dashes, with a letter or digit at both ends',
    )
    .default('local-cloud'),
  provider: z.enum(providerNames, { error: providerNames.join(', ') }).default('kind'),
  context: z.string().min(1, 'the name of a context').exactOptional(),
  kubeconfig: file.exactOptional(),
  ingressUrl: z.url({ protocol: /^https?$/, error: 'a URL such as http://192.0.2.7' }).exactOptional(),
  nodes: z
    .int('a whole number from 1 to 4')
    .min(1, 'a whole number from 1 to 4')
    .max(4, 'a whole number from 1 to 4')
    .default(1),
  cni: z.enum(['cilium', 'basic'], { error: 'cilium or basic' }).default('cilium'),
  addons: z.union([z.literal('all'), z.array(z.string())]).optional(),
  engine: z.enum(['auto', 'podman', 'docker'], { error: 'auto, podman or docker' }).default('auto'),
  images: z
    .union(
      [
        z.object({ kind: z.enum(['auto', 'registry', 'packages']) }),
        z.object({ kind: z.literal('bundle'), file }),
      ],
      { error: 'auto, registry, packages or bundle:FILE' },
    )
    .default({ kind: 'auto' }),
  system: z.string().default('slate'),
  environment: z.string().default('local'),
  models: z.enum(['tiny', 'real'], { error: 'tiny or real' }).default('tiny'),
  gpu: z
    .object({
      tier: z.enum(['auto', 'real', 'mock']),
      count: z.int().min(1).max(mostGpus),
    })
    .optional(),
  gpuStrategy: z.enum(gpuStrategies, { error: gpuStrategies.join(' or ') }).default('cdi-cri'),
  gpuReplicas: z.int('a whole number from 1 to 16').min(1).max(16).default(1),
  runtimeClasses: z
    .array(z.enum(runtimeClassNames, { error: runtimeClassNames.join(' or ') }))
    .default([])
    .transform(eachOnce),
  httpPort: port.default(8080),
  httpsPort: port.default(8443),
  listenAddress: z
    .string()
    .refine((text) => isIP(text) !== 0, 'an IPv4 or IPv6 address of this machine')
    .default('127.0.0.1'),
  kubernetesVersion: z.string().optional(),
  kubeadmPatches: z.array(file).default([]),
  extraMounts: z
    .array(
      z.object({
        hostPath: file,
        containerPath: z.string().startsWith('/', 'HOST:NODE with an absolute path in the node'),
        readOnly: z.boolean(),
      }),
    )
    .default([]),
  install: z.boolean().default(true),
  mergeKubeconfig: z.boolean().default(false),
  dryRun: z.boolean().default(false),
  recreate: z.boolean().default(false),
  timeoutMs: z
    .number()
    .min(1_000, 'at least 1s')
    .max(2 ** 31 - 1, 'less than 25 days')
    .default(20 * 60_000),
})

/** The names in order, none twice. */
export function eachOnce<Name extends string>(names: readonly Name[]): Name[] {
  return [...new Set(names)].sort()
}

/** `up`'s values before they are checked; what is absent gets its default. */
export type UpInput = z.input<typeof upValues>

const flagNames: Partial<Record<string, string>> = {
  environment: 'overlay',
  kubeadmPatches: 'kubeadm-patch',
  extraMounts: 'mount',
  install: 'no-install',
  runtimeClasses: 'runtime-class',
  timeoutMs: 'timeout',
}
const flagOf = (key: string): string =>
  flagNames[key] ?? key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/**
 * Checks everything that `up` is told, also against the files it names, and fills in the defaults.
 * @throws LocalCloudError BAD_VALUE with the flag, what was given and what is allowed (further bad flags in the evidence);
 * UNKNOWN_SYSTEM with the systems or overlays that there are.
 */
export function parseUpOptions(
  values: Readonly<Record<string, unknown>>,
  paths: Paths,
  world: OptionsWorld = realOptionsWorld,
): UpOptions {
  const parsed = upValues.safeParse(values)
  if (!parsed.success) {
    const complaints = parsed.error.issues.map((issue) => {
      const key = String(issue.path[0])
      return badValueWords(key, values[key], issue.message)
    })
    throw new LocalCloudError('BAD_VALUE', { message: complaints[0] ?? '', evidence: complaints.slice(1) })
  }
  const { kubernetesVersion, gpu, gpuStrategy, gpuReplicas, ...rest } = parsed.data
  const given = { ...rest, addons: rest.addons ?? (rest.provider === 'existing' ? [] : 'all') }
  if (given.httpPort === given.httpsPort) {
    throw badValue('httpsPort', given.httpsPort, 'a port other than that of --http-port')
  }
  const files: [string, string][] = [
    ...given.kubeadmPatches.map((path): [string, string] => ['kubeadmPatches', path]),
    ...given.extraMounts.map((mount): [string, string] => ['extraMounts', mount.hostPath]),
    ...(given.images.kind === 'bundle' ? [['images', given.images.file] as [string, string]] : []),
    ...(given.kubeconfig === undefined ? [] : [['kubeconfig', given.kubeconfig] as [string, string]]),
  ]
  for (const [key, path] of files) {
    if (!world.exists(path)) throw badValue(key, path, 'a path that exists on this machine')
  }
  if (given.provider === 'existing') checkExisting({ ...given, gpu })
  else checkCombination(given)
  checkSystems(given.system, given.environment, world.systems(paths.repo))
  return {
    ...given,
    ...(gpu === undefined ? {} : { gpu: { ...gpu, strategy: gpuStrategy, replicas: gpuReplicas } }),
    kubernetesVersion: checkKubernetesVersion(kubernetesVersion, world.kubernetesVersions(paths.repo)),
    paths,
  }
}

/**
 * The values of the system's options (manifests/SYSTEM/system.yaml) that differ from their default, by name. An option of `up`
 * that is one of a system's is added here.
 */
export function choicesOf({ models, gpu }: Pick<UpOptions, 'models' | 'gpu'>): Record<string, string> {
  return { ...(models === 'tiny' ? {} : { models }), ...(gpu === undefined ? {} : { gpu: 'on' }) }
}

function badValueWords(key: string, given: unknown, allowed: string): string {
  const shown = typeof given === 'string' ? given : JSON.stringify(given)
  return `--${flagOf(key)} cannot be ${shown}; it takes ${allowed}.`
}

function badValue(key: string, given: unknown, allowed: string): LocalCloudError {
  return new LocalCloudError('BAD_VALUE', { message: badValueWords(key, given, allowed) })
}

/** What one provider can do and another cannot, refused before anything is made. */
function checkCombination({
  provider,
  nodes,
  cni,
  addons,
  system,
  kubeadmPatches,
  ...others
}: Pick<
  UpOptions,
  | 'provider'
  | 'nodes'
  | 'cni'
  | 'addons'
  | 'system'
  | 'kubeadmPatches'
  | 'context'
  | 'kubeconfig'
  | 'ingressUrl'
>): void {
  for (const key of ['context', 'kubeconfig', 'ingressUrl'] as const)
    if (others[key] !== undefined)
      throw badValue(
        key,
        others[key],
        `nothing with --provider ${provider}, which makes a cluster of its own`,
      )
  if (cni === 'basic' && provider !== 'k3s')
    throw badValue(
      'cni',
      cni,
      `cilium with --provider ${provider}, whose nodes bring no network of their own`,
    )
  if (cni === 'basic' && nodes > 1)
    throw badValue('cni', cni, 'cilium with several nodes, for a bridge does not lead from one to another')
  if (provider === 'k3s' && kubeadmPatches.length > 0)
    throw badValue(
      'kubeadmPatches',
      kubeadmPatches[0],
      'nothing with --provider k3s, which makes no cluster by kubeadm',
    )
  if (system !== 'none' && addons !== 'all' && addons.length === 0)
    throw badValue('addons', 'none', 'all, or what the system needs; or say --system none')
}

/** What only a cluster that is made here can take; the nodes, the network and the images of another are not ours. */
function checkExisting(given: {
  nodes: number
  cni: string
  images: ImagesChoice
  addons: 'all' | string[]
  ingressUrl?: string
  kubeadmPatches: readonly unknown[]
  extraMounts: readonly unknown[]
  gpu: unknown
  runtimeClasses: readonly unknown[]
  mergeKubeconfig: boolean
  recreate: boolean
}): void {
  const refused: [string, boolean][] = [
    ['nodes', given.nodes !== 1],
    ['cni', given.cni !== 'cilium'],
    ['kubeadmPatches', given.kubeadmPatches.length > 0],
    ['extraMounts', given.extraMounts.length > 0],
    ['gpu', given.gpu !== undefined],
    ['runtimeClasses', given.runtimeClasses.length > 0],
    ['mergeKubeconfig', given.mergeKubeconfig],
    ['recreate', given.recreate],
  ]
  for (const [key, isGiven] of refused)
    if (isGiven)
      throw new LocalCloudError('BAD_VALUE', {
        message: `--${flagOf(key)} says nothing with --provider existing: the cluster is there already, and its nodes are not ours.`,
      })
  if (given.images.kind === 'packages' || given.images.kind === 'bundle')
    throw badValue(
      'images',
      given.images.kind,
      'auto or registry with --provider existing, into whose nodes nothing is loaded',
    )
  if (given.addons !== 'all' && given.addons.includes('traefik') && given.ingressUrl === undefined)
    throw badValue('addons', 'traefik', 'it together with --ingress-url, where its ports will be reached')
}

/** The systems that the option `system` names; empty for `none`. */
export const systemNames = (system: string): string[] => (system === 'none' ? [] : system.split(','))

/** @throws LocalCloudError BAD_VALUE for one that is named twice, or as `checkSystem` */
function checkSystems(system: string, environment: string, systems: Record<string, string[]>): void {
  const names = systemNames(system)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw badValue('system', system, `each system once, and ${twice} is there twice`)
  for (const name of names) {
    if (name === 'none') throw badValue('system', system, 'none alone')
    checkSystem(name, environment, systems)
  }
}

/** @throws LocalCloudError UNKNOWN_SYSTEM with the systems or overlays that there are */
export function checkSystem(system: string, environment: string, systems: Record<string, string[]>): void {
  if (system === 'none') return
  const environments = systems[system]
  if (!environments) {
    throw new LocalCloudError('UNKNOWN_SYSTEM', {
      message: `There is no system ${system} under overlays/.`,
      hint: `--system takes one of ${[...Object.keys(systems), 'none'].join(', ')}.`,
    })
  }
  if (!environments.includes(environment)) {
    throw new LocalCloudError('UNKNOWN_SYSTEM', {
      message: `The system ${system} has no overlay ${environment}.`,
      hint: `--overlay takes one of ${environments.join(', ')} for ${system}.`,
    })
  }
}

function checkKubernetesVersion(given: string | undefined, known: string[]): string {
  const first = known[0]
  if (first === undefined) {
    throw new LocalCloudError('BAD_VERSIONS_FILE', {
      message: 'images/versions.yaml names no Kubernetes version.',
    })
  }
  if (given === undefined) return first
  const version = known.find((candidate) => candidate.replace(/^v/, '') === given.replace(/^v/, ''))
  if (version === undefined) throw badValue('kubernetesVersion', given, `one of ${known.join(', ')}`)
  return version
}

/** `kubernetes:` of images/versions.yaml is one version or a list of them. */
function readKubernetesVersions(versions: unknown): string[] {
  const parsed = z.object({ kubernetes: z.union([z.string(), z.array(z.string())]) }).safeParse(versions)
  if (!parsed.success) {
    throw new LocalCloudError('BAD_VERSIONS_FILE', {
      message: 'images/versions.yaml: the field kubernetes must name a version.',
      cause: parsed.error,
    })
  }
  return [parsed.data.kubernetes].flat()
}
