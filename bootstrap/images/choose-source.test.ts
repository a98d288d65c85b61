import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fakeEngine } from '../engine/fake-engine.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { ImagesChoice, MakerName } from '../plan/options.ts'
import { chooseImageSource } from './choose-source.ts'
import { readVersions } from './versions.ts'

const repo = join(import.meta.dirname, '..', '..')
let cacheDir = ''
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'choose-source-'))
})
afterEach(() => rm(cacheDir, { recursive: true, force: true }))

const choose = (
  fake: ReturnType<typeof fakeEngine>,
  images: ImagesChoice,
  signal = new AbortController().signal,
  provider: MakerName = 'kind',
) =>
  chooseImageSource({
    options: { images, paths: { repo, stateDir: cacheDir, cacheDir }, install: false, provider },
    engine: fake.engine,
    emit: () => undefined,
    signal,
  })

const hung = (fake: ReturnType<typeof fakeEngine>): void => {
  fake.engine.pull = (ref) =>
    Promise.reject(
      new LocalCloudError('REGISTRY_UNREACHABLE', {
        message: `docker.io did not deliver ${ref} within 6 s.`,
      }),
    )
}

describe('chooseImageSource', () => {
  it('takes what is named and asks no registry', async () => {
    const fake = fakeEngine()
    expect((await choose(fake, { kind: 'packages' })).kind).toBe('packages')
    expect((await choose(fake, { kind: 'registry' })).kind).toBe('registry')
    expect((await choose(fake, { kind: 'bundle', file: '/nowhere.tar' })).kind).toBe('bundle')
    expect(fake.calls).toEqual([])
  })

  it('auto: takes the registry when the engine can pull from it', async () => {
    const fake = fakeEngine()
    const source = await choose(fake, { kind: 'auto' })
    expect(source.kind).toBe('registry')
    expect(fake.calls).toEqual(['pull docker.io/library/busybox:1.35.0'])
  })

  it('auto: builds from packages when the registry hangs, and says why', async () => {
    const fake = fakeEngine()
    hung(fake)
    const source = await choose(fake, { kind: 'auto' })
    expect(source.kind).toBe('packages')
    expect(source.why).toContain('did not deliver')
    expect(source.why).not.toMatch(/\.$/)
  })

  it('auto: asks nobody when the upstream node image is in the engine', async () => {
    const fake = fakeEngine()
    hung(fake)
    const { kubernetes } = await readVersions(repo)
    fake.images = [{ id: 'sha256:1', refs: [`docker.io/kindest/node:${kubernetes}`], labels: {} }]
    expect((await choose(fake, { kind: 'auto' })).kind).toBe('registry')
  })

  it('auto: takes the upstream node image of the provider, not that of another one', async () => {
    const fake = fakeEngine()
    hung(fake)
    const { kubernetes } = await readVersions(repo)
    fake.images = [{ id: 'sha256:1', refs: [`docker.io/rancher/k3s:${kubernetes}-k3s1`], labels: {} }]
    expect((await choose(fake, { kind: 'auto' }, undefined, 'k3s')).kind).toBe('registry')
    expect((await choose(fake, { kind: 'auto' }, undefined, 'kind')).kind).toBe('packages')
  })

  it('auto: an interruption is not taken for an absent registry', async () => {
    const fake = fakeEngine()
    const controller = new AbortController()
    fake.engine.pull = () => {
      controller.abort(new LocalCloudError('INTERRUPTED', { message: 'Interrupted.' }))
      return Promise.reject(new LocalCloudError('REGISTRY_UNREACHABLE', { message: 'stopped' }))
    }
    await expect(choose(fake, { kind: 'auto' }, controller.signal)).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
  })
})
