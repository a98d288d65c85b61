import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { refOf } from '../../bootstrap/steps/objects.ts'
import { differences } from '../../manifests/checks/differences.ts'
import { at, textAt } from '../../manifests/checks/manifest.ts'
import { probePodManifest } from './probe-pod.ts'
import type { TestRecord } from './record.ts'
import { runLabel } from './run-id.ts'
import { manualAnnotation } from './schedule.ts'
import { CheckBroke } from './verdict.ts'

/** Little, as many of them wait beside SLATE on one node. */
const resources = { requests: { cpu: '5m', memory: '16Mi' }, limits: { cpu: '200m', memory: '64Mi' } }

export interface TwinOptions {
  namespace: string
  runId: string
  name: string
  /** Shell script that the container runs in the place of SLATE's job. */
  script: string
  /** Fields of the CronJob's `spec` that differ from the shipped one. */
  spec?: Record<string, unknown>
  /** Fields of the `spec` of its Jobs that differ from the shipped one. */
  job?: Record<string, unknown>
}

/**
 * A CronJob with the rules of a shipped one (who may run when, how long, how often, what is kept) and a small pod that runs a script in
 * the place of SLATE's container, so that it can live in a namespace of a test.
 */
export function cronTwin(
  shipped: KubeObject,
  { namespace, runId, name, script, spec, job }: TwinOptions,
): KubeObject {
  const { spec: shippedSpec } = structuredClone(shipped) as unknown as {
    spec: Record<string, unknown> & { jobTemplate: { spec: object } }
  }
  const pod = probePodManifest({ namespace, runId, name })
  const [container] = at(pod, 'spec', 'containers') as Record<string, unknown>[]
  const { readinessProbe: _, ports: __, ...bare } = container ?? {}
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name, namespace, labels: { [runLabel]: runId } },
    spec: {
      ...shippedSpec,
      ...spec,
      jobTemplate: {
        metadata: { labels: { [runLabel]: runId } },
        spec: {
          ...shippedSpec.jobTemplate.spec,
          ...job,
          template: {
            metadata: { labels: { [runLabel]: runId } },
            spec: {
              ...(pod['spec'] as object),
              restartPolicy: textAt(shippedSpec, 'jobTemplate', 'spec', 'template', 'spec', 'restartPolicy'),
              containers: [{ ...bare, resources, command: ['/bin/sh', '-c', script] }],
            },
          },
        },
      },
    },
  }
}

/** A Job of a CronJob started by hand, as `kubectl create job --from=cronjob/…` makes it. `owner` is the live object. */
export function manualJob(owner: KubeObject, name: string, runId: string): KubeObject {
  const template = structuredClone(at(owner, 'spec', 'jobTemplate')) as {
    metadata?: { labels?: Record<string, string> }
    spec: Record<string, unknown>
  }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      namespace: owner.metadata.namespace ?? '',
      labels: { ...template.metadata?.labels, [runLabel]: runId },
      annotations: { [manualAnnotation]: 'manual' },
      ownerReferences: [
        {
          apiVersion: 'batch/v1',
          kind: 'CronJob',
          name: owner.metadata.name,
          uid: owner.metadata.uid ?? '',
          controller: true,
        },
      ],
    },
    spec: template.spec,
  }
}

/**
 * The fields of `spec` in which two objects differ, in order: `schedule`, `jobTemplate spec backoffLimit`. With `wholePods` all
 * of the pod template and the labels of Jobs count as one, `pods and their labels`.
 */
export function differingFields(one: KubeObject, other: KubeObject, { wholePods = false } = {}): string[] {
  const bare = ({ kind, spec }: KubeObject): KubeObject => ({
    apiVersion: '',
    kind,
    metadata: { name: '' },
    spec: spec as unknown,
  })
  const fields = differences([bare(one)], [bare(other)]).map(({ field }) => field.replace(/^spec /, ''))
  const inPod = /^(pod|template|jobTemplate spec template|jobTemplate metadata)( |$)/
  const named = fields.map((field) => (wholePods && inPod.test(field) ? 'pods and their labels' : field))
  return [...new Set(named)].sort()
}

/**
 * Makes a twin of a shipped CronJob, tells the report in what it differs, and returns it as it is on the cluster.
 * @throws CheckBroke when it is gone at once
 */
export async function startTwin(
  kube: Pick<KubeClient, 'apply' | 'get'>,
  shipped: KubeObject,
  options: TwinOptions & { record: TestRecord; signal: AbortSignal },
): Promise<KubeObject> {
  const { record, signal, ...twinOptions } = options
  const twin = cronTwin(shipped, twinOptions)
  record.facts.push({
    name: `${twin.metadata.name} differs from ${shipped.metadata.name} in`,
    value: differingFields(shipped, twin, { wholePods: true }).join(', '),
  })
  await kube.apply([twin], { signal, dryRun: 'skip' })
  const live = await kube.get(refOf(twin), signal)
  if (!live) throw new CheckBroke(`The twin ${twin.metadata.name} is gone.`)
  return live
}
