import type { ProviderName } from '../plan/options.ts'

/** Where a cluster's images came from; undefined when nobody recorded it. */
type Source = 'registry' | 'packages' | 'bundle' | undefined

/**
 * What a cluster's nodes are. Only the image from a registry is k3s; one that was built from packages honours k3s's container contract with
 * upstream's Kubernetes, and is never called k3s.
 */
export const providerWords = (provider: ProviderName, source: Source): string =>
  provider === 'k3s' && source !== 'registry' ? 'k3s-compatible' : provider

/** What a reader must know about nodes of that name (`providerWords`); empty where there is nothing. */
export const providerNote = (words: string): string =>
  words === 'k3s-compatible'
    ? 'The nodes are k3s-compatible containers: upstream Kubernetes behind the container contract of k3s. They are not k3s.'
    : ''
