import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { parseVersions, readVersions } from './versions.ts'

const repo = join(import.meta.dirname, '..', '..')
const text = await readFile(join(repo, 'images', 'versions.yaml'), 'utf8')

const broken = (change: (document: Record<string, unknown>) => void): string => {
  const document = parse(text) as Record<string, unknown>
  change(document)
  return stringify(document)
}

describe('images/versions.yaml', () => {
  it('is valid and pins every component and image', async () => {
    const versions = await readVersions(repo)
    for (const [name, component] of Object.entries(versions.components)) {
      expect(component.version, name).not.toMatch(/latest|\^|~|\*/)
    }
    for (const image of versions.images) expect(image.ref).toMatch(/^[\w.-]+\.[\w.-]+\/[\w./-]+:[\w.-]+$/)
  })

  it('preloads every image that kubeadm needs in the version of the cluster', async () => {
    const versions = await readVersions(repo)
    const preloaded = versions.images.filter((image) => image.preload).map((image) => image.ref)
    for (const name of ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler']) {
      expect(preloaded).toContain(`registry.k8s.io/${name}:${versions.kubernetes}`)
    }
  })
})

describe('parseVersions', () => {
  it('names the field that is wrong', () => {
    const wrong = broken((document) => {
      document['kubernetes'] = 36
    })
    expect(() => parseVersions(wrong)).toThrow(/kubernetes: .*string/)
  })

  it('refuses a field that it does not know', () => {
    const wrong = broken((document) => {
      ;(document['components'] as Record<string, Record<string, unknown>>)['kubernetes']!['colour'] = 'blue'
    })
    expect(() => parseVersions(wrong)).toThrow(/components\.kubernetes.*colour/)
  })

  it.each([
    ['directory', (recipe: Record<string, unknown>) => delete recipe['directory'], /vendor takes its files/],
    [
      'replace',
      (recipe: Record<string, unknown>) => (recipe['replace'] = { 'example.org/x': './x' }),
      /vendor and replace exclude each other/,
    ],
    [
      'a path out of the folder',
      (recipe: Record<string, unknown>) => (recipe['vendor'] = { 'x/y.go': '/y.go' }),
      /components\.gvisor\.vendor.*must be \.\/FILE/,
    ],
  ])('refuses vendored files that say nothing: %s', (_what, change, words) => {
    const wrong = broken((document) => {
      change((document['components'] as Record<string, Record<string, unknown>>)['gvisor']!)
    })
    expect(() => parseVersions(wrong)).toThrow(words)
  })

  it('refuses an image made of a component that does not exist', () => {
    const wrong = broken((document) => {
      ;(document['images'] as Record<string, unknown>[])[0]!['layers'] = [{ files: { '/x': 'nonesuch/x' } }]
    })
    expect(() => parseVersions(wrong)).toThrow(/no component is called nonesuch/)
  })
})
