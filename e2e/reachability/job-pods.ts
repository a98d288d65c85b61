import type { KubeObject } from '../../bootstrap/kube/client.ts'
import type { Contract } from '../../manifests/slate/contract.ts'
import { objectNamed } from '../harness/slate-objects.ts'
import type { PodEnd } from './ends.ts'
import { statedPod } from './slate-network.ts'

/** A job of SLATE that has no pod most of the time. */
export interface JobOfSlate {
  /** `CronJob/name` or `Job/name`. */
  id: string
  job: string
  stated: PodEnd
}

/** Every job of the specification. */
export const jobsOfSlate = (contract: Contract): JobOfSlate[] => [
  ...contract.cronJobs.map(({ name, job }) => ({
    id: `CronJob/${name}`,
    job,
    stated: statedPod(contract, job, name),
  })),
  {
    id: `Job/${contract.preload.name}`,
    job: contract.preload.component,
    stated: statedPod(contract, contract.preload.component, contract.preload.name),
  },
]

interface Template {
  template: { metadata?: { labels?: Record<string, string> } }
}

/** Labels that the pods of a job get, as its manifest is rendered. @throws Error when there is no such object */
export function labelsOfJob(objects: readonly KubeObject[], { id }: JobOfSlate): Record<string, string> {
  const spec = objectNamed(objects, id).spec as Template & { jobTemplate?: { spec: Template } }
  return (spec.jobTemplate?.spec ?? spec).template.metadata?.labels ?? {}
}
