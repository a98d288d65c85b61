import { appendFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Event } from '../report/events.ts'
import { buildComponents, componentKeys, missingComponents } from './build-components.ts'
import type { NpmComponent, Versions } from './versions.ts'

let repo = ''
let events: Event[] = []
beforeEach(async () => {
  repo = await mkdtemp(join(tmpdir(), 'build-components-'))
  events = []
})
afterEach(() => rm(repo, { recursive: true, force: true }))

/** Packages without dependencies: npm needs no network for them. */
async function packageFolder(name: string): Promise<NpmComponent> {
  const folder = join(repo, 'images', name)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name, version: '1.0.0' }))
  await writeFile(
    join(folder, 'package-lock.json'),
    JSON.stringify({
      name,
      version: '1.0.0',
      lockfileVersion: 3,
      packages: { '': { name, version: '1.0.0' } },
    }),
  )
  return { builder: 'npm', version: '1.0.0', directory: name, take: { manifest: 'package.json' } }
}

const versionsOf = (components: Versions['components']): Versions => ({
  kubernetes: 'v1',
  kind: 'v1',
  components,
  images: [],
})

const paths = () => ({ repo, stateDir: join(repo, 'state'), cacheDir: join(repo, 'cache') })

const build = (versions: Versions, signal = new AbortController().signal) =>
  buildComponents({
    paths: paths(),
    versions,
    signal,
    emit: (event) => events.push(event),
    progress: () => undefined,
  })

describe('buildComponents', () => {
  it('builds what is missing, once', async () => {
    const versions = versionsOf({ one: await packageFolder('one') })
    const first = (await build(versions)).get('one')
    expect(JSON.parse(await readFile(first?.files['manifest'] ?? '', 'utf8'))).toMatchObject({ name: 'one' })
    const made = (await stat(first?.files['manifest'] ?? '')).mtimeMs
    const second = (await build(versions)).get('one')
    expect((await stat(second?.files['manifest'] ?? '')).mtimeMs).toBe(made)
  })

  it('rebuilds one component when only that one changed', async () => {
    const versions = versionsOf({ one: await packageFolder('one'), two: await packageFolder('two') })
    const before = await componentKeys(repo, versions)
    await build(versions)
    // What its builder does not use changes nothing.
    await writeFile(join(repo, 'images', 'one', 'extra.txt'), 'new')
    await writeFile(join(repo, 'images', 'two', 'package.json'), '{ "name": "two", "version": "1.0.1" }')
    const after = await componentKeys(repo, versions)
    expect(after.get('one')).toBe(before.get('one'))
    expect(await missingComponents(paths(), after)).toEqual(['two'])
  })

  it('detects a damaged entry by its digest, says so and builds it again', async () => {
    const versions = versionsOf({ one: await packageFolder('one') })
    const file = (await build(versions)).get('one')?.files['manifest'] ?? ''
    const good = await readFile(file, 'utf8')
    await appendFile(file, 'damage')
    await build(versions)
    expect(await readFile(file, 'utf8')).toBe(good)
    expect(events).toContainEqual({
      type: 'notice',
      level: 'warning',
      message: expect.stringContaining('one is damaged (manifest)') as string,
    })
  })

  it('names component, command and last lines of a build that fails, keeps what is finished and resumes there', async () => {
    const bad = await packageFolder('bad')
    const versions = versionsOf({ good: await packageFolder('good'), bad })
    const lock = join(repo, 'images', 'bad', 'package-lock.json')
    const right = await readFile(lock, 'utf8')
    await writeFile(lock, '{"lockfileVersion": 3, broken')
    const failure = await build(versions).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({
      code: 'BUILD_FAILED',
      message: expect.stringContaining('component bad 1.0.0') as string,
    })
    const { evidence, hint } = failure as { evidence: string[]; hint: string }
    expect(evidence[0]).toContain('npm ci')
    expect(evidence.length).toBeGreaterThan(1)
    expect(hint).toContain('resumes')
    expect(await missingComponents(paths(), await componentKeys(repo, versions))).toEqual(['bad'])
    await writeFile(lock, right)
    expect([...(await build(versions)).keys()].sort()).toEqual(['bad', 'good'])
  })

  it('stops when it is told to and leaves nothing that looks finished', async () => {
    const versions = versionsOf({ one: await packageFolder('one') })
    await expect(build(versions, AbortSignal.abort())).rejects.toThrow()
    expect(await missingComponents(paths(), await componentKeys(repo, versions))).toEqual(['one'])
  })
})
