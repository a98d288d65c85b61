import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Addon, ProbeResult } from '../addons/addon.ts'
import { fakeEngine, type FakeEngine } from '../engine/fake-engine.ts'
import type { RegistryAnswer } from '../images/ask-registry.ts'
import type { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { ImageSource, PreparedImages } from '../images/image-source.ts'
import type { KubeObject } from '../kube/client.ts'
import { fakeCluster, type FakeCluster } from '../kube/fake-client.ts'
import type { Variant } from '../manifests/system-file.ts'
import type { UpOptions } from '../plan/options.ts'
import { makePlan } from '../plan/plan.ts'
import type { RuntimeClassName } from '../plan/runtime-classes.mjs'
import { fakeProvider, type FakeProvider } from '../providers/fake-provider.ts'
import type { Event } from '../report/events.ts'
import type { Observation } from './step.ts'
import { prepareUp } from './prepare-up.ts'
import { runSteps } from './run-steps.ts'
import { createSession, type Session } from './session.ts'
import type { Tools } from './tools.ts'
import { upSteps } from './up-steps.ts'

/** A machine in memory with an engine, a provider and a cluster, and a state directory of its own; for tests of the graph. */
export interface FakeWorld {
  engine: FakeEngine
  /** Whether the machine has an engine; opening one installs it. */
  hasEngine: boolean
  provider: FakeProvider
  cluster: FakeCluster
  addons: Addon[]
  probes: Record<string, ProbeResult>
  system: (name: string) => KubeObject[] | Promise<KubeObject[]>
  variants: Variant[]
  /** RuntimeClasses that the system says it needs. */
  runtimeClasses: RuntimeClassName[]
  /** Whether the system has policies for nodes. */
  hostPolicies: boolean
  /** Why this machine cannot have what was asked for. */
  refusal?: LocalCloudError
  /** Where images come from. */
  source: ImageSource['kind']
  /** What every registry answers. */
  registry: RegistryAnswer
  machine: { cores: number; memory: number }
  images: {
    observed: Observation
    /** For which images it was last asked whether they are there. */
    observedFor?: ReadonlySet<string> | undefined
    prepared: PreparedImages
    prepare?: () => Promise<void>
  }
  /** What happened, in order: tools that were opened, probes, and what the provider and the cluster were told. */
  log: string[]
  events: Event[]
  options: UpOptions
  tools: Tools
  /** A new session, as a new command has it. */
  session(signal?: AbortSignal): Session
  /** One `up` with these options. */
  up(changed?: Partial<UpOptions>, signal?: AbortSignal): Promise<void>
  dispose(): void
}

const deployment = (namespace: string, name: string, image: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name, image }] } },
  },
})

/** Five add-ons in miniature, as the graph knows them. */
export function fakeAddons(): Addon[] {
  return ['cilium', 'coredns', 'local-path', 'metrics-server', 'traefik'].map((name) => ({
    name,
    version: '1.0.0',
    title: name,
    promise: `${name} works`,
    needs: name === 'cilium' ? [] : ['cilium'],
    ...(['cilium', 'coredns'].includes(name) ? { ownClustersOnly: true } : {}),
    images: [`quay.io/x/${name}:1`],
    timeoutMs: 5_000,
    objects: [deployment('kube-system', name, `quay.io/x/${name}:1`)],
    probe: () => Promise.resolve({ result: 'pass', seen: `${name} works` }),
  }))
}

/** A small system: a namespace, a config, two workloads and a claim. */
export function fakeSystem(): KubeObject[] {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'slate' } },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace: 'slate' },
      data: { a: '1' },
    },
    deployment('slate', 'dashboard', 'slate:local'),
    deployment('slate', 'ollama', 'docker.io/ollama/ollama:0.17.4'),
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace: 'slate' },
      spec: {},
    },
  ]
}

/** Ports 1 and 2 above `base` are used by the options. */
export function fakeWorld(base = 42_000): FakeWorld {
  const repo = mkdtempSync(join(tmpdir(), 'local-cloud-test-'))
  writeFileSync(join(repo, 'package.json'), '{"version":"0.1.0"}')
  const stateDir = join(repo, '.local-cloud')
  const engine = fakeEngine()
  const provider = fakeProvider()
  const cluster = fakeCluster()
  cluster.answers = false
  const log: string[] = []
  const events: Event[] = []
  provider.onChange = (name, what) => {
    log.push(`${what} ${name}`)
    if (what === 'deleted') cluster.objects.clear()
    cluster.answers = what !== 'deleted'
  }
  const source: ImageSource = {
    get kind() {
      return world.source
    },
    why: 'no registry answered',
    supply: () => {
      const { preloaded, loadable } = world.images.prepared
      const refs = loadable.map(({ ref }) => ref)
      return Promise.resolve({ inNodes: preloaded, loadable: refs, madeHere: refs, registry: false })
    },
    observe(_run, wanted) {
      world.images.observedFor = wanted
      return Promise.resolve(world.images.observed)
    },
    async prepare(_run, wanted) {
      log.push('prepare images')
      await world.images.prepare?.()
      world.images.observed = { state: 'done', reason: 'all there' }
      const { prepared } = world.images
      return { ...prepared, loadable: prepared.loadable.filter(({ ref }) => wanted?.has(ref) ?? true) }
    },
  }
  const tools: Tools = {
    findEngine: () => Promise.resolve(world.hasEngine ? engine.engine : undefined),
    openEngine() {
      log.push('install engine')
      world.hasEngine = true
      return Promise.resolve(engine.engine)
    },
    provider: () => Promise.resolve(provider.provider),
    prepareProvider: () => Promise.resolve(),
    imageSource(choice) {
      log.push(`images from ${choice.kind}`)
      return Promise.resolve(source)
    },
    kube: () => Promise.resolve(cluster.client),
    existing: () => Promise.resolve(cluster.client),
    askRegistries(refs) {
      log.push(`ask registries for ${String(refs.length)} images`)
      return Promise.resolve(new Map(refs.map((ref) => [ref, world.registry])))
    },
    addons: (_signal, { runtimeClasses = [], hostPolicies = false } = {}) => {
      if (hostPolicies) log.push('add-ons with policies for nodes')
      return Promise.resolve(
        world.addons.filter(
          ({ when }) => when === undefined || when === 'gpu' || runtimeClasses.includes(when),
        ),
      )
    },
    probe(addon) {
      log.push(`probe ${addon.name}`)
      return Promise.resolve(world.probes[addon.name] ?? { result: 'pass', seen: `${addon.name} works` })
    },
    system: async ({ system }) => world.system(system),
    variants: () => Promise.resolve(world.variants),
    machine: () => world.machine,
    gpuCards: () => Promise.resolve({ reason: 'there is no nvidia-smi on PATH' }),
    requireGpuHost: () => Promise.resolve(),
    demandsOf: () =>
      Promise.resolve({ runtimeClasses: world.runtimeClasses, hostPolicies: world.hostPolicies }),
    requireRuntimeClassHost: () =>
      world.refusal === undefined ? Promise.resolve() : Promise.reject(world.refusal),
  }
  const options: UpOptions = {
    paths: { repo, stateDir, cacheDir: join(stateDir, 'cache') },
    name: 'lc',
    provider: 'kind',
    nodes: 1,
    cni: 'cilium',
    addons: 'all',
    engine: 'auto',
    images: { kind: 'auto' },
    system: 'slate',
    environment: 'local',
    models: 'tiny',
    httpPort: base + 1,
    httpsPort: base + 2,
    listenAddress: '127.0.0.1',
    kubernetesVersion: 'v1.36.4',
    kubeadmPatches: [],
    runtimeClasses: [],
    extraMounts: [],
    install: true,
    mergeKubeconfig: false,
    dryRun: false,
    recreate: false,
    timeoutMs: 10_000,
  }
  const world: FakeWorld = {
    engine,
    hasEngine: true,
    provider,
    cluster,
    addons: fakeAddons(),
    probes: {},
    system: fakeSystem,
    variants: [],
    runtimeClasses: [],
    hostPolicies: false,
    source: 'packages',
    registry: { available: false, reason: 'it cannot be reached' },
    machine: { cores: 2, memory: 8 * 2 ** 30 },
    images: {
      observed: { state: 'absent', reason: 'not built' },
      prepared: {
        nodeImage: 'local-cloud/node:1',
        preloaded: ['quay.io/x/cilium:1', 'docker.io/ollama/ollama:0.17.4'],
        loadable: [{ ref: 'docker.io/library/slate:local', archive: '/slate.tar', id: 'sha256:1' }],
      },
    },
    log,
    events,
    options,
    tools,
    session: (signal = new AbortController().signal) =>
      createSession({
        name: world.options.name,
        paths: options.paths,
        images: world.options.images,
        tools,
        emit: (event) => events.push(event),
        signal,
      }),
    async up(changed = {}, signal = new AbortController().signal) {
      const chosen = { ...world.options, ...changed }
      const emit = (event: Event): number => events.push(event)
      if (chosen.provider === 'existing') {
        const { graph } = await prepareUp({ options: chosen, tools, toolVersion: '0.1.0', emit, signal })
        await runSteps(graph.steps, { emit, signal, settleMs: 200 })
        return
      }
      const session = createSession({
        name: chosen.name,
        paths: chosen.paths,
        images: chosen.images,
        tools,
        emit,
        signal,
      })
      const gpu = chosen.gpu === undefined ? {} : { gpu: { ...chosen.gpu, tier: 'mock' as const } }
      const plan = makePlan(chosen, { addons: world.addons, kubeadmPatches: [], ...gpu })
      const { steps } = upSteps(session, chosen, plan, world.addons, '0.1.0')
      await runSteps(steps, { emit, signal, settleMs: 200 })
    },
    dispose() {
      rmSync(repo, { recursive: true, force: true })
    },
  }
  return world
}
