import type { ConnectedKube, KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import type { Contract } from '../../manifests/slate/contract.ts'
import { differingFields } from './cron-twin.ts'
import { createNamespace, type TestNamespace } from './namespace.ts'
import type { TestRecord } from './record.ts'
import { runLabel } from './run-id.ts'
import { objectNamed } from './slate-objects.ts'
import { startCopy } from './workload-copy.ts'

/** A namespace with all that the preload Job refers to; Ollama's Service is there, and no Ollama behind it yet. */
export interface PreloadStage extends AsyncDisposable {
  space: TestNamespace
  /** Starts an Ollama behind the Service; does not wait for it. */
  startOllama(signal: AbortSignal): Promise<void>
}

/** Makes the namespace of one test. Leaving its scope deletes it. */
export async function setPreloadStage(options: {
  kube: ConnectedKube
  runId: string
  purpose: string
  contract: Contract
  /** Objects of the overlay, from `slateObjects`. */
  objects: readonly KubeObject[]
  record: TestRecord
  signal: AbortSignal
}): Promise<PreloadStage> {
  const { kube, runId, purpose, contract, objects, record, signal } = options
  const { preload, addresses } = contract
  await using stack = new AsyncDisposableStack()
  // Ollama runs as root (A26).
  const space = stack.use(await createNamespace({ kube, runId, purpose, podSecurity: 'baseline', signal }))
  const needed = [addresses.configMap, ...Object.keys(preload.configMaps)].map((name) => `ConfigMap/${name}`)
  await kube.apply(
    [`ServiceAccount/${preload.serviceAccount}`, ...needed].map((id) =>
      moved(objectNamed(objects, id), space.name, runId),
    ),
    { signal, dryRun: 'skip' },
  )
  const copy = await startCopy(kube, {
    objects,
    deployment: 'ollama',
    namespace: space.name,
    runId,
    change: (deployment) => {
      deployment.spec.replicas = 0
    },
    signal,
    wait: false,
  })
  record.facts.push({ name: 'Ollama of the test differs', value: `${copy.differs}; none runs at first` })
  const kept = stack.move()
  return {
    space,
    async startOllama(stop) {
      await kube.patch(copy.ref, { spec: { replicas: 1 } }, { signal: stop })
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** A twin of the shipped Job in another namespace; `change` makes the only differences, which the report is told. */
export function preloadTwin(options: {
  shipped: KubeObject
  name: string
  namespace: string
  runId: string
  record: TestRecord
  /** Gets the twin to change in place. */
  change?: ((job: KubeObject) => void) | undefined
}): KubeObject {
  const { shipped, name, namespace, runId, record, change } = options
  const twin = moved(structuredClone(shipped), namespace, runId)
  twin.metadata.name = name
  change?.(twin)
  const fields = differingFields(shipped, twin)
  record.facts.push({
    name: `${name} differs from ${shipped.metadata.name} in`,
    value: fields.length === 0 ? 'namespace and name only' : fields.join(', '),
  })
  return twin
}

function moved(object: KubeObject, to: string, runId: string): KubeObject {
  object.metadata.namespace = to
  object.metadata.labels = { ...object.metadata.labels, [runLabel]: runId }
  return object
}

/** The pods of a Job, the oldest first. */
export async function podsOf(
  kube: Pick<KubeClient, 'list'>,
  { metadata: { namespace = '', name } }: KubeObject,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const pods = await kube.list(
    { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: `job-name=${name}` },
    signal,
  )
  return pods.sort((a, b) =>
    (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''),
  )
}
