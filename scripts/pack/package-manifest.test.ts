import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageManifest } from './package-manifest.ts'

const repository = path.resolve(import.meta.dirname, '..', '..')
const own = readFileSync(path.join(repository, 'package.json'), 'utf8')
const read = (text: string) =>
  JSON.parse(text) as Record<'dependencies' | 'devDependencies', Record<string, string>>

describe('packageManifest', () => {
  it('leads to compiled modules with types, for every export of the checkout', () => {
    expect(packageManifest(own)).toMatchObject({
      name: 'local-cloud',
      exports: {
        './ephemeral': {
          types: './dist/e2e/harness/ephemeral.d.ts',
          default: './dist/e2e/harness/ephemeral.js',
        },
        './harness': { types: './dist/e2e/harness/index.d.ts', default: './dist/e2e/harness/index.js' },
      },
    })
  })

  it('has the dependencies of the checkout in their versions, and nothing of its tools', () => {
    const manifest = packageManifest(own)
    expect(manifest['dependencies']).toMatchObject(read(own).dependencies)
    expect(
      Object.keys(manifest).filter((key) => ['scripts', 'private', 'devDependencies'].includes(key)),
    ).toEqual([])
  })

  it('refuses a package.json without the types that declarations use', () => {
    const without = JSON.stringify({ exports: {}, dependencies: {}, devDependencies: { vitest: '1.0.0' } })
    expect(() => packageManifest(without)).toThrow('no @types/node among its devDependencies')
  })
})

it('the example has the same versions as this checkout', () => {
  const example = read(readFileSync(path.join(repository, 'examples/ephemeral-cluster/package.json'), 'utf8'))
  const { 'local-cloud': packed, ...others } = example.devDependencies
  const { version } = JSON.parse(own) as { version: string }
  expect(packed).toBe(`file:local-cloud-${version}.tgz`)
  const ours = { ...read(own).dependencies, ...read(own).devDependencies }
  expect(others).toEqual(Object.fromEntries(Object.keys(others).map((name) => [name, ours[name]])))
})
