import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Paths } from '../plan/options.ts'
import { resolvePaths } from '../state/paths.ts'
import { parseObjects } from './render.ts'
import { validateOverlay } from './validate.ts'

const signal = AbortSignal.timeout(60_000)
let repo: string
let paths: Paths

beforeEach(async () => {
  repo = await mkdtemp(join(tmpdir(), 'local-cloud-manifests-'))
  // Programs are unpacked where they are for everything else, once.
  const own = resolvePaths(join(import.meta.dirname, '..', '..'), {}, process.env, process.cwd())
  paths = { ...own, repo }
})
afterEach(async () => {
  await rm(repo, { recursive: true, force: true })
})

async function write(files: Record<string, string>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(repo, name)), { recursive: true })
    await writeFile(join(repo, name), content)
  }
}

async function errorOf(promise: Promise<unknown>): Promise<LocalCloudError> {
  try {
    await promise
  } catch (error) {
    expect(error).toBeInstanceOf(LocalCloudError)
    return error as LocalCloudError
  }
  throw new Error('It did not fail.')
}

const base = {
  'manifests/base/kustomization.yaml': 'resources: [objects.yaml]\n',
  'manifests/base/objects.yaml': `apiVersion: v1
kind: ConfigMap
metadata: { name: first }
---
apiVersion: v1
kind: Service
metadata: { name: core }
spec:
  selector: { app: core }
  ports: [{ port: 80 }]
`,
}
const overlay = 'overlays/slate/local'
const kustomization = `${overlay}/kustomization.yaml`

describe('validateOverlay', () => {
  it('returns the objects of a good one', async () => {
    await write({
      ...base,
      [kustomization]: 'namespace: slate\nresources: [../../../manifests/base, pod.yaml]\n',
      [`${overlay}/pod.yaml`]:
        'apiVersion: v1\nkind: Pod\nmetadata: { name: core, labels: { app: core } }\nspec: { containers: [{ name: a, image: b }] }\n',
    })
    const objects = await validateOverlay(join(repo, overlay), { paths, signal })
    expect(
      objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`).sort(),
    ).toEqual(['ConfigMap slate/first', 'Pod slate/core', 'Service slate/core'])
  })

  it('names file, document, object and field of every problem', async () => {
    await write({
      ...base,
      [kustomization]: `namespace: slate
resources: [../../../manifests/base]
patches:
  - target: { kind: ConfigMap, name: first }
    patch: '[{ "op": "add", "path": "/dta", "value": {} }]'
configMapGenerator:
  - name: generated
    literals: [a=b]
    options: { labels: { x: a b } }
`,
    })
    const error = await errorOf(validateOverlay(join(repo, overlay), { paths, signal }))
    expect(error.code).toBe('MANIFEST_INVALID')
    expect(error.message).toMatch(
      /^3 problems in 3 manifests: .* Nothing of overlays\/slate\/local was applied\.$/,
    )
    expect(error.evidence).toEqual([
      expect.stringMatching(
        /^manifests\/base\/objects\.yaml, document 1, ConfigMap slate\/first: dta is no field here/,
      ),
      'manifests/base/objects.yaml, document 2, Service slate/core: spec.selector selects no pod here (app=core)',
      expect.stringMatching(
        /^overlays\/slate\/local, document \d, ConfigMap slate\/generated-\w+: metadata\.labels\[x\] cannot be "a b": no label value$/,
      ),
    ])
  })

  it('shows the command and what kubectl says when it cannot be rendered', async () => {
    await write({ [kustomization]: 'resources: [nowhere.yaml]\n' })
    const error = await errorOf(validateOverlay(join(repo, overlay), { paths, signal }))
    expect(error.code).toBe('RENDER_FAILED')
    expect(error.evidence[0]).toMatch(/^\$ .*kubectl kustomize .*overlays\/slate\/local$/)
    expect(error.evidence.join('\n')).toContain('nowhere.yaml')
  })

  it('does not reach out of the kustomization by a file, as kubectl apply -k would not', async () => {
    await write({ ...base, [kustomization]: 'resources: [../../../manifests/base/objects.yaml]\n' })
    expect((await errorOf(validateOverlay(join(repo, overlay), { paths, signal }))).code).toBe(
      'RENDER_FAILED',
    )
  })
})

describe('parseObjects', () => {
  it('leaves empty documents out', () => {
    expect(
      parseObjects('---\n---\napiVersion: v1\nkind: A\nmetadata: {name: a}\n---\n# nothing\n', 'x'),
    ).toHaveLength(1)
  })

  it.each([
    ['a: b: c', 'x, document 1 is no YAML'],
    ['just text', 'x, document 1 is no Kubernetes object'],
    ['apiVersion: v1\nkind: A\nmetadata: {}', 'x, document 1 is no Kubernetes object'],
  ])('refuses %j', (text, message) => {
    expect(() => parseObjects(text, 'x')).toThrow(message)
  })
})
