import type { KubeClient, KubeObject } from '../kube/client.ts'

/** Outcome of asking an add-on for what the user gets from it. Only `pass` is green. */
export type ProbeResult =
  | { result: 'pass'; seen: string }
  | { result: 'fail'; seen: string }
  | { result: 'not-proven'; reason: string }

export interface ProbeContext {
  kube: KubeClient
  /** A namespace made for this probe, Pod Security `privileged`, deleted afterwards by the caller. */
  namespace: string
  /** An image in every node with a POSIX shell, wget, nc, nslookup and httpd (busybox). */
  shellImage: string
  /** Where the ingress answers on the host, e.g. http://127.0.0.1:8080. */
  ingressUrl: string
  signal: AbortSignal
}

/** The contract of `manifests/addons/<name>/probe.ts`: `export const probe: Probe`. */
export type Probe = (context: ProbeContext) => Promise<ProbeResult>

/**
 * The contract of the optional `manifests/addons/<name>/prepare.ts`: `export const prepare: Prepare`. Changes what others
 * left in the cluster so that the add-on's objects do their work; runs before they are applied, every time, and changes
 * nothing when nothing is to be changed.
 */
export type Prepare = (context: { kube: KubeClient; signal: AbortSignal }) => Promise<void>

/** One folder under manifests/addons: `addon.yaml` read and checked, objects rendered by kustomize. */
export interface Addon {
  name: string
  version: string
  title: string
  /** What the user gets, in a sentence: what the probe proves. */
  promise: string
  /** Names of add-ons that must work before this one can be proven; its objects may be applied earlier. */
  needs: string[]
  /** Upstream references of the images its pods run. */
  images: string[]
  timeoutMs: number
  objects: KubeObject[]
  probe: Probe
  prepare?: Prepare
}
