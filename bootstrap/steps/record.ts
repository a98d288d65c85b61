import { z } from 'zod'
import { capabilityNames, capabilityStates, type Capability } from '../existing/capabilities.ts'
import type { KubeClient, KubeObject, ObjectRef } from '../kube/client.ts'
import { gpuStrategies } from '../plan/gpu-plan.ts'
import { providerNames } from '../plan/options.ts'
import { runtimeClassNames } from '../plan/runtime-classes.mjs'
import { canonicalHash, type Plan } from '../plan/plan.ts'
import type { FinishedJob } from './finished-jobs.ts'
import { ownMarks } from './objects.ts'

/** The ConfigMap in which a cluster of ours remembers what it was made to be; for an existing one see `ownRecordRef`. */
export const recordRef: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'kube-system',
  name: 'local-cloud-plan',
}

export interface PartRecord {
  title: string
  /** Hash by object key (objects.ts, `refKey`) of everything that was applied. */
  objects: Record<string, string>
  /** Hash of `objects` when it was last proven. */
  proven?: string
  /** What the proof saw. */
  seen?: string
  /** Jobs that were complete then and delete themselves, by object key. */
  finished?: Record<string, FinishedJob>
}

export interface RecordedImages {
  source: 'registry' | 'packages' | 'bundle'
  why: string
  /** Engine reference of the image that the nodes were made of. */
  node?: string
  /** The bundle, when they came from one. */
  file?: string
  /** Ids of the loaded images by reference. */
  ids: Record<string, string>
}

export interface RecordedCapabilities {
  all: Capability[]
  /** What the API had told of the network then: a proof that was made of another one says nothing. */
  tried: string
}

/** What a cluster remembers of how it was made; enough for `status` and for finding changes without rendering anything. */
export interface ClusterRecord {
  plan: Plan
  /** Whether everything of the plan has been applied and proven. */
  complete: boolean
  toolVersion: string
  images?: RecordedImages
  /** What an existing cluster was found to have when policies were last tried on it; absent on clusters of ours. */
  capabilities?: RecordedCapabilities
  /** By part: `addon.cilium`, `system.slate`. */
  parts: Record<string, PartRecord>
}

const planShape = z.object({
  name: z.string(),
  provider: z.enum(providerNames),
  kubernetesVersion: z.string(),
  cni: z.literal('basic').exactOptional(),
  nodes: z.array(z.object({ name: z.string(), role: z.enum(['control-plane', 'worker']) })),
  listenAddress: z.string(),
  httpPort: z.number(),
  httpsPort: z.number(),
  ingressUrl: z.string().exactOptional(),
  extraMounts: z.array(z.object({ hostPath: z.string(), containerPath: z.string(), readOnly: z.boolean() })),
  kubeadmPatches: z.array(z.string()),
  addons: z.array(z.object({ name: z.string(), version: z.string() })),
  systems: z.array(
    z.object({
      name: z.string(),
      environment: z.string(),
      choices: z.record(z.string(), z.string()).exactOptional(),
    }),
  ),
  mergeKubeconfig: z.boolean(),
  gpu: z
    .object({
      tier: z.enum(['real', 'mock']),
      count: z.number(),
      strategy: z.enum(gpuStrategies),
      replicas: z.number(),
    })
    .exactOptional(),
  runtimeClasses: z.array(z.enum(runtimeClassNames)).exactOptional(),
})
const imagesShape = z.object({
  source: z.enum(['registry', 'packages', 'bundle']),
  why: z.string(),
  node: z.string().exactOptional(),
  file: z.string().exactOptional(),
  ids: z.record(z.string(), z.string()),
})
const partShape = z.object({
  title: z.string(),
  objects: z.record(z.string(), z.string()),
  proven: z.string().exactOptional(),
  seen: z.string().exactOptional(),
  finished: z.record(z.string(), z.object({ hash: z.string(), ground: z.string() })).exactOptional(),
})
const capabilitiesShape = z.object({
  all: z.array(
    z.object({
      name: z.enum(capabilityNames),
      state: z.enum(capabilityStates),
      by: z.string(),
      ours: z.boolean(),
    }),
  ),
  tried: z.string(),
})
const partPrefix = 'part.'

/** The plan in `text`, or undefined when it is no plan of ours. */
export function parsePlan(text: string): Plan | undefined {
  return parseJson(planShape, text)
}

/** What the ConfigMap says, or undefined when it is not one of ours (or of a version we do not understand). Pure. */
export function parseRecord(configMap: KubeObject | undefined): ClusterRecord | undefined {
  const data = configMap?.['data'] as Record<string, string> | undefined
  const plan = data?.['plan'] === undefined ? undefined : parsePlan(data['plan'])
  if (!data || !plan) return undefined
  const images = data['images'] === undefined ? undefined : parseJson(imagesShape, data['images'])
  const capabilities =
    data['capabilities'] === undefined ? undefined : parseJson(capabilitiesShape, data['capabilities'])
  const parts = Object.entries(data).flatMap(([key, value]) => {
    const part = key.startsWith(partPrefix) ? parseJson(partShape, value) : undefined
    return part ? [[key.slice(partPrefix.length), part] as const] : []
  })
  return {
    plan,
    complete: data['complete'] === 'true',
    toolVersion: data['version'] ?? '',
    ...(images ? { images } : {}),
    ...(capabilities ? { capabilities } : {}),
    parts: Object.fromEntries(parts),
  }
}

/** The ConfigMap's data for these members of a record; `undefined` parts are removed by a merge patch. */
export function recordData(record: RecordChange): Record<string, string | null> {
  return {
    ...(record.plan ? { plan: JSON.stringify(record.plan), hash: canonicalHash(record.plan) } : {}),
    ...(record.complete === undefined ? {} : { complete: String(record.complete) }),
    ...(record.toolVersion === undefined ? {} : { version: record.toolVersion }),
    ...(record.images ? { images: JSON.stringify(record.images) } : {}),
    ...(record.capabilities ? { capabilities: JSON.stringify(record.capabilities) } : {}),
    ...Object.fromEntries(
      Object.entries(record.parts ?? {}).map(([part, value]) => [
        partPrefix + part,
        value ? JSON.stringify(value) : null,
      ]),
    ),
  }
}

export type RecordChange = Partial<Omit<ClusterRecord, 'parts'>> & {
  parts?: Record<string, PartRecord | undefined>
}

/**
 * Writes these members and leaves the others: steps that run at the same time write different ones.
 * @throws LocalCloudError API_REFUSED, API_UNREACHABLE
 */
export async function writeRecord(
  kube: KubeClient,
  change: RecordChange,
  signal: AbortSignal,
  { ref = recordRef, marks = ownMarks }: { ref?: ObjectRef; marks?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const data = recordData(change)
  if (await kube.get(ref, signal)) {
    await kube.patch(ref, { data }, { signal })
    return
  }
  const { apiVersion, kind, ...place } = ref
  const object: KubeObject = {
    apiVersion,
    kind,
    metadata: { ...place, labels: { ...marks } },
    data: Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null)),
  }
  await kube.apply([object], { signal, dryRun: 'skip' })
}

function parseJson<Shape extends z.ZodType>(shape: Shape, text: string): z.output<Shape> | undefined {
  try {
    return shape.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
