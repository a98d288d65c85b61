import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fakeCli, type FakeCli } from '../../engine/testing/fake-cli.ts'
import type { GoComponent } from '../versions.ts'
import { buildGo } from './go.ts'

/** In the place of the compiler: what it is given of a dependency is its program. */
const dependency = 'example.org/dependency/words.go'
const theirs = join('vendor', dependency)

let root = ''
let go: FakeCli
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'go-'))
  go = fakeCli(join(root, 'bin'), 'go', [
    {
      when: 'mod vendor',
      then: `mkdir -p vendor/example.org/dependency && echo 'package words // theirs' > ${theirs}`,
    },
    {
      when: 'build -mod=vendor*',
      then: `while [ "$1" != -o ]; do shift; done; cat main.go ${theirs} > "$2"`,
    },
    { when: 'build -mod=readonly*', then: `while [ "$1" != -o ]; do shift; done; cat main.go > "$2"` },
  ])
  vi.stubEnv('PATH', `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`)
  await mkdir(join(root, 'images', 'own'), { recursive: true })
  await mkdir(join(root, 'work'))
  await mkdir(join(root, 'out'))
  await writeFile(join(root, 'images', 'own', 'main.go'), 'package main\n')
  await writeFile(join(root, 'images', 'own', 'words.go'), 'package words // ours\n')
})
afterEach(() => rm(root, { recursive: true, force: true }))

const build = (changed: Partial<GoComponent> = {}): Promise<void> =>
  buildGo({
    name: 'own',
    recipe: { builder: 'go', version: 'v1', directory: 'own', programs: { own: '.' }, ...changed },
    paths: { repo: root, stateDir: join(root, 'state'), cacheDir: join(root, 'cache') },
    workDirectory: join(root, 'work'),
    outputDirectory: join(root, 'out'),
    signal: new AbortController().signal,
    emit: () => undefined,
    progress: () => undefined,
  })
const built = (): Promise<string> => readFile(join(root, 'out', 'own'), 'utf8')

describe('vendored dependencies', () => {
  it('are compiled with our file in the place of theirs, in a copy of the module', async () => {
    await build({ vendor: { [dependency]: './words.go' } })
    expect(await built()).toBe('package main\npackage words // ours\n')
    expect(go.calls()[0]).toBe('mod vendor')
    await expect(readFile(join(root, 'images', 'own', theirs))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('are refused when there is no such file to replace', async () => {
    await expect(build({ vendor: { 'example.org/dependency/gone.go': './words.go' } })).rejects.toMatchObject(
      {
        code: 'BUILD_FAILED',
        message: 'No dependency has the file example.org/dependency/gone.go, which ./words.go is to replace.',
      },
    )
  })

  it('are not asked for by other recipes', async () => {
    await build()
    expect(await built()).toBe('package main\n')
    expect(go.calls()).toHaveLength(1)
  })
})
