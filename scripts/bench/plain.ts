import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { stringify } from 'yaml'
import type { Engine } from '../../bootstrap/engine/engine.ts'
import { adaptations, effectsOf } from '../../bootstrap/host/adaptations.ts'
import { detectHostLimits } from '../../bootstrap/host/host-limits.ts'
import type { PreparedImages } from '../../bootstrap/images/image-source.ts'
import { connect } from '../../bootstrap/kube/connect.ts'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { nodeReadyAt } from './node-ready.ts'
import { run } from './run.ts'

export interface PlainBench {
  name: string
  httpPort: number
  httpsPort: number
  engine: Engine
  /** Paths of the two programs. */
  kind: string
  kubectl: string
  images: PreparedImages
  addons: readonly KubeObject[]
  system: readonly KubeObject[]
  signal: AbortSignal
}

export interface PlainTimes {
  plainApiHealthy: number
  plainNodeReady: number
  plainAddonsAvailable: number
  plainSystemReady: number
  plainDown: number
}

/** What the node image cannot do without on this host and with Cilium; none of our own tuning. */
const config = ({ httpPort, httpsPort, images }: PlainBench): string =>
  stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    networking: { disableDefaultCNI: true, kubeProxyMode: 'none' },
    kubeadmConfigPatches: effectsOf(adaptations(detectHostLimits()), 'kubelet').map(({ fields }) =>
      stringify({ apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', ...fields }),
    ),
    nodes: [
      {
        role: 'control-plane',
        image: images.nodeImage,
        extraPortMappings: [
          { containerPort: 80, hostPort: httpPort, listenAddress: '127.0.0.1' },
          { containerPort: 443, hostPort: httpsPort, listenAddress: '127.0.0.1' },
        ],
      },
    ],
  })

const documents = (objects: readonly KubeObject[]): string =>
  objects.map((object) => stringify(object)).join('---\n')

/** Environment of kind: the engine's own, and a network of the bench's, which can be removed afterwards. */
const environment = ({ engine, name }: Pick<PlainBench, 'engine' | 'name'>): Record<string, string> => ({
  ...engine.env,
  [`KIND_EXPERIMENTAL_${engine.kind.toUpperCase()}_NETWORK`]: name,
})

/**
 * What one does by hand: `kind create cluster` from the same node image, `kind load` of what it does not hold, `kubectl apply` and
 * `kubectl wait` of the same manifests, then `kind delete cluster`. Times count from the first command. Removes the cluster also when
 * something fails.
 */
export async function measurePlain(bench: PlainBench): Promise<PlainTimes> {
  const { name, kind, kubectl, signal, images } = bench
  const folder = await mkdtemp(path.join(tmpdir(), 'local-cloud-bench-'))
  const kubeconfig = path.join(folder, 'kubeconfig')
  const files = {
    config: path.join(folder, 'kind.yaml'),
    addons: path.join(folder, 'addons.yaml'),
    system: path.join(folder, 'system.yaml'),
  }
  const env = { ...environment(bench), KUBECONFIG: kubeconfig }
  const withKind = (argv: string[], stop = signal) => run(kind, argv, { signal: stop, env })
  const withKubectl = (argv: string[]) => run(kubectl, argv, { signal, env })
  const wait = (more: string[]) =>
    withKubectl(['wait', '--for=condition=Available', 'deployment', '--all', '--timeout=600s', ...more])
  const apply = (file: string) => withKubectl(['apply', '--server-side', '--force-conflicts', '-f', file])
  const over = new AbortController()
  let deleted = false
  try {
    await Promise.all([
      writeFile(files.config, config(bench)),
      writeFile(files.addons, documents(bench.addons)),
      writeFile(files.system, documents(bench.system)),
    ])
    const started = Date.now()
    const since = (): number => Date.now() - started
    await withKind([
      'create',
      'cluster',
      '--name',
      name,
      '--config',
      files.config,
      '--kubeconfig',
      kubeconfig,
    ])
    const plainApiHealthy = since()
    const watching = AbortSignal.any([signal, over.signal])
    const kube = await connect({ kubeconfigFile: kubeconfig, signal: watching })
    const node = nodeReadyAt(kube, `${name}-control-plane`, watching)
    node.catch(() => undefined)
    for (const { archive } of images.loadable)
      await withKind(['load', 'image-archive', archive, '--name', name])
    await apply(files.addons)
    const plainNodeReady = (await node) - started
    await wait(['--all-namespaces'])
    const plainAddonsAvailable = since()
    await apply(files.system)
    await wait(['--all-namespaces'])
    const plainSystemReady = since()
    const { ms: plainDown } = await withKind(['delete', 'cluster', '--name', name])
    deleted = true
    return { plainApiHealthy, plainNodeReady, plainAddonsAvailable, plainSystemReady, plainDown }
  } finally {
    over.abort()
    const cleanUp = AbortSignal.timeout(120_000)
    if (!deleted) await withKind(['delete', 'cluster', '--name', name], cleanUp).catch(() => undefined)
    await bench.engine.removeNetwork(name, cleanUp).catch(() => undefined)
    await rm(folder, { recursive: true, force: true })
  }
}
