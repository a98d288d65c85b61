/** A change to the manifests under which everybody reaches exactly whom he reached before. */
export interface Equivalent {
  name: string
  reason: string
  /** The object, as `Kind/name`. */
  object: string
}

const addUp =
  'allow-intra-slate selects every pod in both directions and lets pods of SLATE in and out on every port'

/** Changes that no connection shows; those marked as mutations too are seen as objects. */
export const networkEquivalents: readonly Equivalent[] = [
  {
    name: 'drop-default-deny-all (behaviour)',
    object: 'NetworkPolicy/default-deny-all',
    reason: `${addUp}, so that every pod is isolated without it. The mutation drop-default-deny-all is seen as an object.`,
  },
  {
    name: 'drop-allow-ollama-from-slate (behaviour)',
    object: 'NetworkPolicy/allow-ollama-from-slate',
    reason: `${addUp}, Ollama's among them (A16). The mutation drop-allow-ollama-from-slate is seen as an object.`,
  },
  {
    name: 'drop-allow-chromadb-from-slate (behaviour)',
    object: 'NetworkPolicy/allow-chromadb-from-slate',
    reason: `${addUp}, Chroma's among them (A16). It is seen as an object.`,
  },
  {
    name: 'drop the DNS rule of allow-github-egress (behaviour)',
    object: 'NetworkPolicy/allow-github-egress',
    reason: 'allow-intra-slate has the same rule for every pod. It is seen as an object.',
  },
]

export const serviceEquivalents: readonly Equivalent[] = [
  {
    name: 'route-by-rules-of-the-controller (behaviour)',
    object: 'Ingress/slate-ingress',
    reason:
      'Traefik takes ImplementationSpecific for Prefix and matches whole elements of a path. The mutation route-by-rules-of-the-controller is seen as an object.',
  },
]
