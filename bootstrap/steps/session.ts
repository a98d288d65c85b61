import { existsSync } from 'node:fs'
import type { Engine } from '../engine/engine.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import { marksOf, ownRecordRef } from '../existing/ours.ts'
import type { ImageSource, PreparedImages } from '../images/image-source.ts'
import type { KubeClient, KubeObject, ListingKube, ObjectRef } from '../kube/client.ts'
import { nodeReady } from '../kube/conditions/node-ready.ts'
import { selectorQuery } from '../kube/label-selector.ts'
import type { ImagesChoice, Paths } from '../plan/options.ts'
import { canonicalJson } from '../plan/plan.ts'
import type { ClusterProvider, FoundCluster, NodeInfo } from '../providers/provider.ts'
import type { Emit } from '../report/events.ts'
import { clusterFiles, type ClusterFiles } from './cluster-files.ts'
import { ownMarks } from './objects.ts'
import {
  parseRecord,
  recordRef,
  writeRecord,
  type ClusterRecord,
  type RecordChange,
  type RecordedImages,
} from './record.ts'
import type { StepRun } from './step.ts'
import type { Tools } from './tools.ts'

/** What one look at the machine saw. Members are absent where there is nothing (yet). */
export interface Look {
  engine?: Engine
  cluster?: FoundCluster
  /** Set when the cluster's API answers. */
  kube?: KubeClient
  /** Why the API of a cluster that is there does not answer. */
  trouble?: string
  /** From the cluster when its API answers. */
  record?: ClusterRecord
}

/** What the steps of one command share: values are opened once, when first needed, and looked up once until something changes. */
export interface Session {
  readonly name: string
  readonly tools: Tools
  readonly emit: Emit
  readonly files: ClusterFiles
  readonly paths: Paths
  readonly images: ImagesChoice
  /** The way to an existing cluster; absent for a cluster of ours, which the engine holds. */
  readonly existing?: ExistingAccess
  /** Labels of everything that is applied, by which it is known as ours. */
  readonly marks: Readonly<Record<string, string>>
  /** Milliseconds that the whole command has left. */
  remainingMs(): number
  /** Looks at engine, cluster, API and record, all at once; remembered until `clusterChanged`. */
  look(): Promise<Look>
  /** Forgets what was seen; call when something was found or installed that a new look would see. */
  forgetLook(): void
  /** The same, and remembers it; call after making, starting or deleting it. */
  clusterChanged(): void
  /** Whether the cluster was made, started or deleted in this session: what it says of its pods may be from before. */
  hasClusterChanged(): boolean
  /** Forgets lists of objects; call after applying or deleting some. */
  objectsChanged(): void
  /** The engine, installed where allowed. */
  engine(progress?: (message: string) => void): Promise<Engine>
  provider(): Promise<ClusterProvider>
  /** @throws LocalCloudError NO_CLUSTER, API_UNREACHABLE */
  kube(): Promise<KubeClient>
  /** The same for an existing cluster, of which everything can be looked at. */
  listing(): Promise<ListingKube>
  /** Our objects of one kind in all namespaces by `namespace/name`; empty where the kind is unknown. */
  ours(apiVersion: string, kind: string): Promise<ReadonlyMap<string, KubeObject>>
  /** One of our objects, out of the lists. Without a namespace also one in `default`, where the API puts namespaced objects that name none. */
  find(ref: ObjectRef): Promise<KubeObject | undefined>
  /** Writes these members of the record in the cluster. */
  record(change: RecordChange): Promise<void>
  imageSource(): Promise<ImageSource>
  /** Says which images are to be loaded into nodes; without it, all that the source has. Call before any step runs. */
  wantImages(wanted: (run: StepRun) => Promise<ReadonlySet<string>>): void
  /** What `wantImages` said. */
  wantedImages(run: StepRun): Promise<ReadonlySet<string> | undefined>
  /** Makes or fetches the images when that has not been done in this run. */
  prepareImages(run: StepRun): Promise<PreparedImages>
  /** Whether `prepareImages` ran in this session. */
  prepared(): PreparedImages | undefined
}

/** How an existing cluster is reached. */
export interface ExistingAccess {
  /** Context of the user's kubeconfig. */
  context: string
  /** A kubeconfig of this context only. */
  kubeconfig: string
}

export interface SessionOptions {
  name: string
  paths: Paths
  images: ImagesChoice
  /** Set for an existing cluster: then no engine is ever asked, and `engine` and `provider` must not be called. */
  existing?: ExistingAccess
  tools: Tools
  emit: Emit
  /** The command's signal; work that several steps share runs under it. */
  signal: AbortSignal
  /** Never asks the provider for a kubeconfig, which can take long; default false. */
  quick?: boolean
  /** Milliseconds that the whole command has left; default without end. */
  remainingMs?: () => number
  /** How long the API of a cluster may take to answer before it counts as silent; default 5 s. */
  apiTimeoutMs?: number
}

/** A value made at most once at a time, kept while it succeeds. */
function remembered<T>(make: () => Promise<T>): { (): Promise<T>; forget(): void } {
  let value: Promise<T> | undefined
  const get = (): Promise<T> => {
    if (value) return value
    const made = make()
    value = made
    made.catch(() => {
      if (value === made) value = undefined
    })
    return made
  }
  return Object.assign(get, {
    forget() {
      value = undefined
    },
  })
}

/** Opens nothing by itself. */
export function createSession(options: SessionOptions): Session {
  const { name, paths, tools, emit, signal, existing, apiTimeoutMs = 5_000 } = options
  const marks = existing ? marksOf(name) : ownMarks
  const place = existing ? { ref: ownRecordRef(name), marks } : { ref: recordRef, marks }
  const files = clusterFiles(paths, name)
  const lists = new Map<string, Promise<ReadonlyMap<string, KubeObject>>>()
  let preparedImages: PreparedImages | undefined
  let wantedImages: ((run: StepRun) => Promise<ReadonlySet<string>>) | undefined
  let installed: Engine | undefined
  let changed = false

  const foundEngine = remembered(() => tools.findEngine(signal))
  const provider = remembered(async () => tools.provider(await engine()))
  const listing = remembered(() => {
    if (!existing) throw new LocalCloudError('INTERNAL', { message: `${name} is no existing cluster.` })
    return tools.existing(existing.kubeconfig)
  })
  const client = remembered<KubeClient>(() => (existing ? listing() : tools.kube(files.kubeconfig)))

  const engine = async (progress: (message: string) => void = () => undefined): Promise<Engine> => {
    installed ??= (await foundEngine()) ?? (await tools.openEngine(signal, progress))
    return installed
  }

  const askApi = async (stop: AbortSignal): Promise<Pick<Look, 'kube' | 'record'>> => {
    const kube = await client()
    const soon = AbortSignal.any([signal, stop, AbortSignal.timeout(apiTimeoutMs)])
    // Asked once and without repetition, so that an API that is not there is known at once.
    const { status, body } = await kube.raw('/readyz', soon)
    if (status !== 200) {
      throw new LocalCloudError('API_UNREACHABLE', {
        message: `not ready (HTTP ${String(status)}): ${body.slice(0, 200)}`,
      })
    }
    const record = parseRecord(await kube.get(place.ref, soon))
    return { kube, ...(record ? { record } : {}) }
  }

  /** An existing cluster is there when its API says so; its nodes are told by the API alone. */
  const lookAtExisting = async ({ context }: ExistingAccess): Promise<Look> => {
    const stop = new AbortController()
    const cluster: FoundCluster = { name, owner: 'ours', nodes: [], complete: true }
    const answer = await settled(askApi(stop.signal))
    if ('error' in answer) return { cluster, trouble: `context ${context}: ${answer.error.message}` }
    const { kube } = answer.value
    if (kube) cluster.nodes = (await kube.list({ apiVersion: 'v1', kind: 'Node' }, signal)).map(nodeInfo)
    return { cluster, ...answer.value }
  }

  const look = remembered(async (): Promise<Look> => {
    if (existing) return lookAtExisting(existing)
    const stop = new AbortController()
    // The API is asked with the kubeconfig at hand while the engine is still being asked about containers.
    const early = existsSync(files.kubeconfig) ? settled(askApi(stop.signal)) : undefined
    try {
      const found = installed ?? (await foundEngine())
      if (!found) return {}
      const clusters = await tools.provider(found)
      const cluster = await clusters.find(name, signal)
      if (!cluster) return { engine: found }
      const seen = { engine: found, cluster }
      if (cluster.owner === 'foreign') return seen
      if (!cluster.nodes.some((node) => node.role === 'control-plane' && node.running)) {
        return { ...seen, trouble: 'its control plane does not run' }
      }
      const first = await early
      if (first && 'value' in first) return { ...seen, ...first.value }
      if (options.quick === true) {
        return { ...seen, trouble: first?.error.message ?? `there is no ${files.kubeconfig}` }
      }
      // No kubeconfig, or one of an earlier cluster of this name: take the current one.
      const second = await settled(
        (async () => {
          await files.writeKubeconfig(await clusters.kubeconfig(name, signal))
          client.forget()
          return askApi(stop.signal)
        })(),
      )
      return 'value' in second ? { ...seen, ...second.value } : { ...seen, trouble: second.error.message }
    } finally {
      stop.abort()
    }
  })

  const list = async (apiVersion: string, kind: string): Promise<ReadonlyMap<string, KubeObject>> => {
    const { kube } = await look()
    if (!kube) return new Map()
    const found = await settled(
      kube.list({ apiVersion, kind, labelSelector: selectorQuery({ matchLabels: { ...marks } }) }, signal),
    )
    if ('error' in found) {
      if (found.error.code === 'API_REFUSED') return new Map()
      throw found.error
    }
    return new Map(
      found.value.map((object) => [`${object.metadata.namespace ?? ''}/${object.metadata.name}`, object]),
    )
  }

  const ours = (apiVersion: string, kind: string): Promise<ReadonlyMap<string, KubeObject>> => {
    const key = `${apiVersion} ${kind}`
    const known = lists.get(key)
    if (known) return known
    const asked = list(apiVersion, kind)
    lists.set(key, asked)
    asked.catch(() => {
      if (lists.get(key) === asked) lists.delete(key)
    })
    return asked
  }

  const imageSource = remembered(async (): Promise<ImageSource> => {
    // A cluster keeps the source it was made from unless another one is asked for: no registry is asked again.
    const kept = options.images.kind === 'auto' ? (await look()).record?.images : undefined
    const choice = kept && keptChoice(kept)
    const source = await tools.imageSource(choice ?? options.images, await engine(), signal)
    if (!kept || !choice) return source
    return {
      kind: source.kind,
      why: kept.why,
      supply: (stop) => source.supply(stop),
      observe: (run, wanted) => source.observe(run, wanted),
      prepare: (run, wanted) => source.prepare(run, wanted),
    }
  })

  const forgetLook = (): void => {
    look.forget()
    client.forget()
    lists.clear()
  }

  return {
    name,
    tools,
    emit,
    files,
    paths,
    images: options.images,
    ...(existing ? { existing } : {}),
    marks,
    remainingMs: options.remainingMs ?? (() => Infinity),
    look,
    forgetLook,
    hasClusterChanged: () => changed,
    clusterChanged() {
      changed = true
      forgetLook()
    },
    objectsChanged() {
      lists.clear()
    },
    engine,
    provider,
    async kube() {
      const { cluster, kube, trouble } = await look()
      if (kube) return kube
      if (!cluster) throw new LocalCloudError('NO_CLUSTER', { message: `There is no cluster ${name}.` })
      throw new LocalCloudError('API_UNREACHABLE', {
        message: `The API of cluster ${name} does not answer: ${trouble ?? 'no reason known'}.`,
      })
    },
    async listing() {
      await this.kube()
      return listing()
    },
    ours,
    async find({ apiVersion, kind, namespace, name: object }) {
      const objects = await ours(apiVersion, kind)
      return namespace === undefined
        ? (objects.get(`/${object}`) ?? objects.get(`default/${object}`))
        : objects.get(`${namespace}/${object}`)
    },
    async record(change) {
      const seen = await look()
      if (!seen.kube) return
      if (seen.record && canonicalJson(merged(seen.record, change)) === canonicalJson(seen.record)) return
      await writeRecord(seen.kube, change, signal, place)
      const record = merged(seen.record, change)
      if (record) seen.record = record
    },
    imageSource,
    wantImages(wanted) {
      wantedImages = wanted
    },
    wantedImages: async (run) => wantedImages?.(run),
    async prepareImages(run) {
      preparedImages ??= await (await imageSource()).prepare(run, await wantedImages?.(run))
      return preparedImages
    },
    prepared: () => preparedImages,
  }
}

/** A node of an existing cluster; it runs when its kubelet says so. */
const nodeInfo = (node: KubeObject): NodeInfo => ({
  name: node.metadata.name,
  role:
    node.metadata.labels?.['node-role.kubernetes.io/control-plane'] === undefined
      ? 'worker'
      : 'control-plane',
  running: nodeReady(node).met,
})

function keptChoice({ source, file }: RecordedImages): ImagesChoice | undefined {
  if (source !== 'bundle') return { kind: source }
  return file !== undefined && existsSync(file) ? { kind: 'bundle', file } : undefined
}

function merged(record: ClusterRecord | undefined, change: RecordChange): ClusterRecord | undefined {
  const plan = change.plan ?? record?.plan
  if (!plan) return undefined
  const parts = { ...record?.parts, ...change.parts }
  const images = change.images ?? record?.images
  const capabilities = change.capabilities ?? record?.capabilities
  return {
    plan,
    complete: change.complete ?? record?.complete ?? false,
    toolVersion: change.toolVersion ?? record?.toolVersion ?? '',
    ...(images ? { images } : {}),
    ...(capabilities ? { capabilities } : {}),
    parts: Object.fromEntries(
      Object.entries(parts).filter((entry) => entry[1] !== undefined),
    ) as ClusterRecord['parts'],
  }
}

async function settled<T>(promise: Promise<T>): Promise<{ value: T } | { error: LocalCloudError }> {
  try {
    return { value: await promise }
  } catch (error) {
    return { error: toLocalCloudError(error) }
  }
}
