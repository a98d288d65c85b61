import type { KubeObject } from '../../bootstrap/kube/client.ts'

/** A change to the manifests that the suite has to notice. */
export interface Mutation {
  /** Unique, in kebab-case, naming what is done: `drop-default-deny`. */
  name: string
  /** The system whose object it is; default SLATE. */
  system?: string
  /** What no longer holds, in one sentence for the report. */
  breaks: string
  /** The object, as `Kind/name`. */
  object: string
  /** The changed object; undefined leaves it out. Gets a copy that may be changed in place. */
  change: (object: KubeObject) => KubeObject | undefined
  /** Milliseconds that a controller takes to act on the change and tells nobody of, such as an ingress; a Deployment and a Job are waited for. */
  settleMs?: number
  /** The test that must fail, and no neighbour with it: `suite: describe › title`, or the beginning of it. */
  caughtBy: string
  /** Two tests that must stay green. */
  neighbours: readonly [string, string]
}

/** The system whose object a mutation changes. */
export const systemOf = ({ system = 'slate' }: Pick<Mutation, 'system'>): string => system

/** Variable by which a run knows that the manifests are changed, and how. */
export const mutationVariable = 'LOCAL_CLOUD_E2E_MUTATION'
