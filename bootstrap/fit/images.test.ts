import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import type { ImageSupply } from '../images/image-source.ts'
import { imageShortages, imagesOf, pulledInstead } from './images.ts'

const pod = (image: string, imagePullPolicy?: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'slate' },
  spec: { containers: [{ name: 'c', image, ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }) }] },
})
const packages: ImageSupply = {
  inNodes: ['docker.io/library/busybox:1.35.0'],
  loadable: ['docker.io/library/slate:local', 'registry.slate.local/slate:dev'],
  madeHere: ['docker.io/library/slate:local', 'registry.slate.local/slate:dev'],
  registry: false,
}
const registry: ImageSupply = { ...packages, registry: true }

describe('imageShortages', () => {
  it.each([
    ['slate:local', 'Never'],
    ['slate:local', 'IfNotPresent'],
    ['slate:local', undefined],
    ['busybox:1.35.0', 'Never'],
    ['registry.slate.local/slate:dev', 'IfNotPresent'],
  ])('is content with %s, %s', (image, policy) => {
    expect(imageShortages([pod(image, policy)], packages)).toEqual([])
  })

  it.each([
    ['registry.slate.local/slate:dev', 'Always', 'the registry registry.slate.local, which is not there'],
    ['docker.io/library/nginx:1', 'IfNotPresent', 'a source that does not have it'],
    ['docker.io/library/nginx:1', 'Never', 'a source that does not have it'],
    ['nginx', undefined, 'the registry docker.io'],
    ['nginx@sha256:0123', undefined, 'a source that does not have it'],
  ])('refuses %s, %s', (image, policy, words) => {
    const [row] = imageShortages([pod(image, policy)], packages)
    expect(row?.who).toBe('Pod slate/p')
    expect(row?.has).toContain(words)
  })

  it('lets nodes pull where there is a registry, but not what must never be pulled', () => {
    expect(imageShortages([pod('nginx:1'), pod('nginx', 'Always')], registry)).toEqual([])
    expect(imageShortages([pod('nginx:1', 'Never')], registry)).toHaveLength(1)
  })

  it('tells one row for a workload that runs an image twice', () => {
    const container = { name: 'c', image: 'nginx:1' }
    const twice = { ...pod('nginx:1'), spec: { containers: [container, container] } }
    expect(imageShortages([twice], packages)).toHaveLength(1)
  })
})

it('imagesOf has full references, pulledInstead what is made here and yet pulled', () => {
  const objects = [
    pod('slate:local'),
    pod('registry.slate.local/slate:dev', 'Always'),
    pod('nginx', 'Always'),
  ]
  expect([...imagesOf(objects)]).toEqual([
    'docker.io/library/slate:local',
    'registry.slate.local/slate:dev',
    'docker.io/library/nginx:latest',
  ])
  expect(pulledInstead(objects, registry)).toEqual(['registry.slate.local/slate:dev'])
})
