import { expect, it } from 'vitest'
import { providerNote, providerWords } from './provider-words.ts'

it.each([
  ['kind', 'packages', 'kind'],
  ['kind', 'registry', 'kind'],
  ['k3s', 'registry', 'k3s'],
  ['k3s', 'packages', 'k3s-compatible'],
  ['k3s', 'bundle', 'k3s-compatible'],
  ['k3s', undefined, 'k3s-compatible'],
] as const)('%s with images from %s is called %s', (provider, source, words) => {
  expect(providerWords(provider, source)).toBe(words)
  expect(providerNote(providerWords(provider, source)).includes('not k3s')).toBe(words === 'k3s-compatible')
})
