import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import path from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KubeObject } from '../bootstrap/kube/client.ts'
import { refusal } from '../bootstrap/kube/protocol-server.ts'
import { validateSystem } from '../bootstrap/manifests/validate.ts'
import { resolvePaths } from '../bootstrap/state/paths.ts'
import { refKey, stamp } from '../bootstrap/steps/objects.ts'
import { planWith, startFakeApi, type FakeApi } from './fake-api.ts'
import { parseDiffOptions } from './slate-diff-options.ts'

describe('parseDiffOptions', () => {
  it('leaves open what is not said', () => {
    expect(parseDiffOptions([])).toEqual({ name: 'local-cloud', json: false })
    expect(
      parseDiffOptions(['--overlay', 'staging', '--system=slate', '--models', 'real', '--json']),
    ).toEqual({
      name: 'local-cloud',
      overlay: 'staging',
      system: 'slate',
      models: 'real',
      json: true,
    })
    expect(parseDiffOptions(['--help'])).toBe('help')
  })

  it.each([
    [['--overlays', 'x'], 'UNKNOWN_FLAG'],
    [['--models', 'huge'], 'BAD_VALUE'],
    [['staging'], 'BAD_VALUE'],
  ])('refuses %j', (argv, code) => {
    expect(() => parseDiffOptions(argv)).toThrow(expect.objectContaining({ code }) as Error)
  })
})

describe('npm run slate:diff', () => {
  const repo = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
  const paths = resolvePaths(repo, {}, process.env, repo)
  let api: FakeApi
  let stamped: ReturnType<typeof stamp>
  beforeAll(async () => {
    const choice = { system: 'slate', environment: 'local', choices: {} }
    stamped = stamp(await validateSystem(choice, { paths, signal: AbortSignal.timeout(30_000) }), {})
  }, 60_000)
  beforeEach(async () => {
    const objects = Object.fromEntries(stamped.map(({ ref, hash }) => [refKey(ref), hash]))
    api = await startFakeApi({
      plan: planWith([{ name: 'slate', environment: 'local' }]),
      parts: { 'system.slate': { title: 'SLATE', objects } },
    })
    // As after up: everything is there, with what the server adds.
    for (const { object } of stamped) {
      api.objects.push({
        ...structuredClone(object),
        metadata: { ...object.metadata, uid: object.metadata.name, resourceVersion: '1' },
        status: {},
      })
    }
  })
  afterEach(() => api[Symbol.asyncDispose]())

  const run = (...argv: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const child = execFile(
        process.execPath,
        ['scripts/slate-diff.mjs', '--state-dir', api.stateDir, ...argv],
        { cwd: repo, maxBuffer: 16 * 1024 * 1024 },
        (_, stdout, stderr) => {
          resolve({ code: child.exitCode, stdout, stderr })
        },
      )
    })
  const edit = (kind: string, name: string, change: (object: KubeObject) => void): void => {
    const found = api.objects.find((one) => one.kind === kind && one.metadata.name === name)
    if (!found) throw new Error(`no ${kind} ${name}`)
    change(found)
  }

  it(
    'ends with 0 where nothing differs, 1 with a diff where something does, and shows no secret',
    { timeout: 60_000 },
    async () => {
      const same = await run()
      expect(same).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^No difference: \d+ objects of slate \(local\)/) as string,
      })

      edit('Deployment', 'slate-core', (object) => {
        const spec = object['spec'] as { replicas: number }
        spec.replicas += 5
      })
      edit('Secret', 'slate-github-secret', (object) => {
        object['data'] = { token: 'aHVudGVyMg==' }
      })
      const other = await run()
      expect(other.code).toBe(1)
      expect(other.stdout).toContain('# Deployment slate/slate-core: changed')
      expect(other.stdout).toMatch(/^-  replicas: 7$/m)
      expect(other.stdout).not.toContain('aHVudGVyMg==')
      expect(other.stdout).toMatch(/2 of \d+ objects of slate \(local\) differ: 2 changed\.$/m)
      const json = JSON.parse((await run('--json')).stdout) as { different: number; objects: unknown[] }
      expect(json.different).toBe(2)
      expect(json.objects.length).toBeGreaterThan(50)
    },
  )

  it('passes on warnings and refusals of the server, with exit code 5', { timeout: 60_000 }, async () => {
    api.onApply = (object) =>
      object.kind === 'PersistentVolumeClaim'
        ? refusal(422, 'Invalid', 'spec: Forbidden: spec is immutable after creation')
        : {
            body: object,
            ...(object.kind === 'Deployment'
              ? { headers: { warning: '299 - "would violate PodSecurity"' } }
              : {}),
          }
    const { code, stdout, stderr } = await run('--overlay', 'staging')
    expect(code).toBe(5)
    expect(stdout).toContain('slate (staging) differ')
    expect(stderr).toContain('Warning: Deployment slate/ollama: would violate PodSecurity')
    expect(stderr).toMatch(/API_REFUSED The API server would refuse 5 of \d+ objects/)
    expect(stderr).toContain('spec is immutable after creation (HTTP 422)')
  })

  it('refuses an overlay that is not there', { timeout: 60_000 }, async () => {
    const { code, stderr } = await run('--overlay', 'nonsense')
    expect(code).toBe(2)
    expect(stderr).toContain('The system slate has no overlay nonsense')
  })
})
