import type { KubeClient } from '../kube/client.ts'

/** The contract of `manifests/addons/<name>/sabotage.ts`: breaks the add-on on purpose, so that its probe can be seen to fail. */
export interface Sabotage {
  /** What is done: `enforcement switched off`. */
  title: string
  /** Returns when the breakage has taken effect. */
  break(kube: KubeClient, signal: AbortSignal): Promise<void>
  /** Returns when the add-on works again; may be called without `break`. */
  restore(kube: KubeClient, signal: AbortSignal): Promise<void>
  /** What the probe must say while it is broken. */
  expect: 'fail'
}
