import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { resolvePaths } from '../state/paths.ts'
import { composed, withComposed } from './compose.ts'
import { renderKustomization } from './render.ts'

let root = ''
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'compose-')))
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

const write = (path: string, text: string): void => {
  const file = join(root, path)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, text)
}
const component = (name: string, text: string): void => {
  write(
    `manifests/x/components/${name}/kustomization.yaml`,
    `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
configMapGenerator:
  - name: settings
    behavior: merge
    literals: [${text}]
`,
  )
}
const overlay = (): string => {
  write(
    'manifests/x/base/kustomization.yaml',
    `configMapGenerator: [{ name: settings, literals: [models=seeded, other=1] }]
generatorOptions: { disableNameSuffixHash: true }
`,
  )
  component('tiny', 'models=tiny')
  component('real', 'models=pull')
  component('last', 'other=2')
  write('overlays/x/local/own.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: own }\n')
  write(
    'overlays/x/local/kustomization.yaml',
    `# What this overlay is for.
resources: [../../../manifests/x/base, own.yaml]
components:
  - ../../../manifests/x/components/tiny
  - ../../../manifests/x/components/last
`,
  )
  return join(root, 'overlays/x/local')
}
const variant = (change: { add?: string[]; drop?: string[] }) => ({
  add: [],
  drop: [],
  needsNetwork: false,
  ...change,
})
const render = async (variants: ReturnType<typeof variant>[], stateDir = join(root, '.state')) => {
  const components = join(root, 'manifests/x/components')
  const paths = { repo: root, stateDir, cacheDir: join(root, 'cache') }
  const tools = resolvePaths(join(import.meta.dirname, '..', '..'), {}, process.env, process.cwd())
  return withComposed(overlay(), { paths, components, variants }, async (directory) => ({
    directory,
    objects: await renderKustomization(directory, { paths: tools, signal: AbortSignal.timeout(30_000) }),
  }))
}
const data = (objects: { metadata: { name: string }; data?: unknown }[]) =>
  objects.find(({ metadata }) => metadata.name === 'settings')?.data

describe('an overlay with options', () => {
  it('is itself when nothing is replaced', async () => {
    const { directory, objects } = await render([variant({})])
    expect(directory).toBe(join(root, 'overlays/x/local'))
    expect(data(objects)).toEqual({ models: 'tiny', other: '2' })
    expect(existsSync(join(root, '.state'))).toBe(false)
  })

  it('has one component in the place of another, keeps the rest and its own files, and leaves nothing behind', async () => {
    const { directory, objects } = await render([variant({ drop: ['tiny'], add: ['real'] })])
    expect(directory.startsWith(join(root, '.state'))).toBe(true)
    expect(data(objects)).toEqual({ models: 'pull', other: '2' })
    expect(objects.map(({ metadata }) => metadata.name).sort()).toEqual(['own', 'settings'])
    expect(readdirSync(join(root, '.state'))).toEqual([])
    expect(readFileSync(join(root, 'overlays/x/local/kustomization.yaml'), 'utf8')).toContain('/tiny')
  })

  it('renders from a state directory anywhere', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'compose-state-'))
    try {
      const { objects } = await render([variant({ drop: ['tiny'], add: ['real'] })], elsewhere)
      expect(data(objects)).toEqual({ models: 'pull', other: '2' })
    } finally {
      rmSync(elsewhere, { recursive: true })
    }
  })

  it('says that an overlay is not there', async () => {
    const options = {
      paths: { stateDir: join(root, '.state') },
      components: root,
      variants: [variant({ add: ['real'] })],
    }
    await expect(withComposed(join(root, 'none'), options, () => Promise.resolve())).rejects.toMatchObject({
      code: 'RENDER_FAILED',
    })
    expect(readdirSync(join(root, '.state'))).toEqual([])
  })
})

describe('composed', () => {
  const options = {
    from: '/repo/overlays/x/local',
    to: '/repo/.state/o',
    components: '/repo/manifests/x/components',
  }
  const components = (text: string, ...variants: ReturnType<typeof variant>[]): unknown =>
    (parse(composed(text, { ...options, variants })) as { components?: unknown }).components

  it.each([
    [
      'the end, when what is dropped is not there',
      'components: [../../../manifests/x/components/a]',
      { drop: ['b'], add: ['c'] },
      ['a', 'c'],
    ],
    [
      'the place of the first that is dropped',
      'components: [../c/a, ../c/b, ../c/d]',
      { drop: ['d', 'a'], add: ['e', 'f'] },
      ['e', 'f', 'b'],
    ],
    ['an overlay without components', 'resources: [x.yaml]', { add: ['c'] }, ['c']],
  ])('puts a component to %s', (_, text, change, names) => {
    const list = components(text, variant(change)) as string[]
    expect(list.map((entry) => entry.slice(entry.lastIndexOf('/') + 1))).toEqual(names)
  })

  it('can leave the last one out, and keeps comments and paths inside', () => {
    expect(components('components: [../c/a]', variant({ drop: ['a'] }))).toBeUndefined()
    const text = composed('# why\nresources: [own.yaml, ./more, ../dev, https://example.test/x]\n', {
      ...options,
      variants: [],
    })
    expect(text).toContain('# why')
    expect(parse(text)).toEqual({
      resources: ['own.yaml', './more', '../../overlays/x/dev', 'https://example.test/x'],
    })
  })
})
