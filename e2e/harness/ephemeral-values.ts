import { randomBytes } from 'node:crypto'
import { networkAddon } from '../../bootstrap/addons/choose-addons.ts'
import type { UpInput } from '../../bootstrap/plan/options.ts'

/** What an ephemeral cluster is to be; nothing given is an API server and a node, in seconds. */
export interface EphemeralOptions {
  /** System to put on it, a folder under overlays/; default none. */
  system?: string
  /** Overlay of the system; default local. */
  overlay?: string
  /** Add-ons, proven before the promise resolves: all, or names; default all with a system, else none. What they need comes along. */
  addons?: 'all' | readonly string[]
  /** Pod network; default cilium with a system, add-ons or several nodes, else that of the node, which enforces no policy. */
  cni?: 'cilium' | 'basic'
  /** 1 to 4; default 1. */
  nodes?: number
  /** Where images come from, as `up --images`; default auto. */
  images?: UpInput['images']
  /** Folder into which the logs of nodes and objects go when the start fails; default: they are in the error only. */
  logs?: string
  /**
   * Who shares it: nobody (default); every start with the same options in this worker, a process or thread; or every one in this run of tests. A shared
   * cluster outlives its scopes and is removed when its worker or its run has ended, however that ends.
   */
  reuse?: 'none' | 'worker' | 'run'
  signal?: AbortSignal
  /** Milliseconds for all of it, not counting the build of images; default 10 minutes. */
  timeoutMs?: number
  /** Told what happens, a line each. */
  onProgress?: (line: string) => void
  /** Where built images are kept; default as for `up` (LOCAL_CLOUD_CACHE_DIR). */
  cacheDir?: string
}

/** A name that no other cluster has. */
export const ephemeralName = (): string => `ephemeral-${randomBytes(5).toString('hex')}`

/**
 * The values of `up` that an ephemeral cluster comes to, with this name and these host ports; not checked yet. Several nodes, a system or
 * add-ons take Cilium even when nobody says so: the nodes' own network spans one node and enforces nothing.
 */
export function ephemeralValues(
  { system = 'none', overlay, nodes = 1, images, ...options }: EphemeralOptions,
  name: string,
  [httpPort, httpsPort]: readonly [number, number],
): Record<string, unknown> {
  const { addons = system === 'none' ? [] : ('all' as const) } = options
  const none = addons !== 'all' && addons.length === 0
  const { cni = none && nodes === 1 ? 'basic' : 'cilium' } = options
  return {
    name,
    provider: 'k3s',
    system,
    ...(overlay === undefined ? {} : { environment: overlay }),
    addons: none && cni === 'cilium' && system === 'none' ? [networkAddon] : addons,
    cni,
    nodes,
    ...(images === undefined ? {} : { images }),
    httpPort,
    httpsPort,
    install: false,
  }
}
