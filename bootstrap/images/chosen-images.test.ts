import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { componentKeys } from './build-components.ts'
import { chosenImages } from './chosen-images.ts'
import { nodeImageKey } from './node/node-image.ts'
import { readVersions, refsOf, type Versions } from './versions.ts'

const repo = join(import.meta.dirname, '..', '..')
const versions = await readVersions(repo)
const everything = new Set(versions.images.flatMap(refsOf))

const npm = { builder: 'npm', version: '1.0.0', directory: 'x', take: {} } as const
const small: Versions = {
  kubernetes: 'v1',
  kind: 'v1',
  components: { common: npm, large: npm, tool: npm, 'own-dependencies': npm, idle: npm },
  images: [
    { ref: 'a.example/base:1', role: 'base', preload: true, layers: [{ files: { '/c': 'common/c' } }] },
    {
      ref: 'a.example/large:1',
      aliases: ['b.example/large:1'],
      role: 'workload',
      preload: false,
      optional: true,
      layers: [{ rootfs: 'common' }, { files: { '/l': 'large/l' }, trees: { '/t': 'tool/t' } }],
    },
    { ref: 'a.example/own:1', role: 'workload', preload: false, source: 'fixtures/own' },
  ],
}
const names = ({ components, images }: Versions) => ({
  components: Object.keys(components),
  images: images.map(({ ref }) => ref),
})

describe('chosenImages', () => {
  it.each([
    ['nobody says what is wanted', undefined],
    ['something else is wanted', new Set(['a.example/base:1'])],
  ])('leaves out an optional image and what only it is made of when %s', (_, wanted) => {
    expect(names(chosenImages(small, wanted))).toEqual({
      components: ['common', 'own-dependencies'],
      images: ['a.example/base:1', 'a.example/own:1'],
    })
  })

  it.each(['a.example/large:1', 'b.example/large:1'])('has it when pods run %s', (ref) => {
    expect(names(chosenImages(small, new Set([ref])))).toEqual({
      components: ['common', 'large', 'tool', 'own-dependencies'],
      images: ['a.example/base:1', 'a.example/large:1', 'a.example/own:1'],
    })
  })
})

describe('images/versions.yaml', () => {
  it('has one image that is made for every cluster beside its nodes: SLATE’s', () => {
    const beside = chosenImages(versions).images.filter(({ preload }) => !preload)
    expect(beside.map(({ ref }) => ref)).toEqual(['docker.io/library/slate:local'])
  })

  it('has no component that nothing is made of', () => {
    expect(Object.keys(chosenImages(versions, everything).components)).toEqual(
      Object.keys(versions.components),
    )
  })

  it('builds Prometheus for a cluster that runs it, and for no other', () => {
    const ref = versions.images.map((image) => image.ref).find((name) => name.includes('/prom/prometheus:'))
    expect(ref).toBeDefined()
    expect(Object.keys(chosenImages(versions).components)).not.toContain('prometheus')
    expect(Object.keys(chosenImages(versions, new Set([ref!])).components)).toContain('prometheus')
    expect(chosenImages(versions).images.map((image) => image.ref)).not.toContain(ref)
  })

  it('makes the same node image whatever is loaded beside it', async () => {
    const keyFor = async (chosen: Versions): Promise<string> =>
      nodeImageKey(repo, chosen, await componentKeys(repo, chosen))
    const none = await keyFor(chosenImages(versions))
    expect(await keyFor(chosenImages(versions, everything))).toBe(none)
    const other = structuredClone(versions)
    other.components['crictl']!.version = 'v0.0.1'
    expect(await keyFor(chosenImages(other))).not.toBe(none)
  })
})
