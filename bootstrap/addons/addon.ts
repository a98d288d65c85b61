import type { ErrorCode } from '../errors/catalogue.ts'
import type { KubeClient, KubeObject } from '../kube/client.ts'
import { runtimeClassNames } from '../plan/runtime-classes.mjs'

/** Outcome of asking an add-on for what the user gets from it. Only `pass` is green. */
export type ProbeResult =
  | { result: 'pass'; seen: string }
  /** `code` where the failure has one of its own. */
  | { result: 'fail'; seen: string; code?: ErrorCode }
  | { result: 'not-proven'; reason: string }

export interface ProbeContext {
  kube: KubeClient
  /** A namespace made for this probe, Pod Security `privileged`, deleted afterwards by the caller. */
  namespace: string
  /** An image in every node with a POSIX shell, wget, nc, nslookup and httpd (busybox). */
  shellImage: string
  /** Where the ingress answers on the host, e.g. http://127.0.0.1:8080. */
  ingressUrl: string
  /** Of every namespace that the probe makes, beside its own; for clusters on which others work too. */
  labels?: Readonly<Record<string, string>>
  /** Whether what is probed is somebody else's: then what the user gets counts, and not how our add-on gives it. */
  theirs?: boolean
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

/** What a cluster may have beyond the ordinary, GPUs and RuntimeClasses; add-ons may be for those only. */
export const features = ['gpu', ...runtimeClassNames] as const
export type Feature = (typeof features)[number]

/** One folder under manifests/addons: `addon.yaml` read and checked, objects rendered by kustomize. */
export interface Addon {
  name: string
  version: string
  title: string
  /** What the user gets, in a sentence: what the probe proves. */
  promise: string
  /** Names of add-ons that must work before this one can be proven; its objects may be applied earlier. */
  needs: string[]
  /** What the cluster must have for it; absent when every cluster gets it. */
  when?: Feature
  /** Whether it fits only clusters that are made here, as the pod network and what changes an object of kubeadm do. */
  ownClustersOnly?: boolean
  /** Programs that every node must have for it, by path; those of the node image built from packages. */
  nodePrograms?: string[]
  /** Upstream references of the images its pods run. */
  images: string[]
  timeoutMs: number
  objects: KubeObject[]
  probe: Probe
  prepare?: Prepare
}
