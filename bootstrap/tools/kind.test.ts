import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fakeCli } from '../engine/testing/fake-cli.ts'
import { temporaryFolder } from '../engine/testing/temporary-folder.ts'
import type { Event } from '../report/events.ts'
import { kindPath } from './kind.ts'

let programs: string
let stateDir: string
let cacheDir: string
let events: Event[]

beforeEach(() => {
  programs = temporaryFolder()
  stateDir = temporaryFolder()
  cacheDir = temporaryFolder()
  events = []
  vi.stubEnv('PATH', `${programs}:/usr/bin:/bin`)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const find = (version?: string, repo = '/nowhere') =>
  kindPath({
    paths: { repo, stateDir, cacheDir },
    ...(version === undefined ? {} : { version }),
    goFolders: [],
    emit: (event) => events.push(event),
    signal: AbortSignal.timeout(30_000),
  })
const kindOnPath = (version: string) =>
  fakeCli(programs, 'kind', [{ when: 'version', stdout: `kind ${version} go1.26 linux/amd64\n` }])
/** A `go` that installs a kind which says that it is `version`, and tells which caches it was given. */
const goThatBuilds = (version: string, exit = 0) =>
  fakeCli(programs, 'go', [
    {
      when: 'install *',
      then: `echo "$GOCACHE $GOMODCACHE" > '${programs}/caches'
mkdir -p "$GOBIN" "$GOCACHE" "$GOMODCACHE"
printf '#!/bin/sh\\necho kind ${version} go linux\\n' > "$GOBIN/kind"
chmod +x "$GOBIN/kind"`,
      stderr: exit === 0 ? '' : 'kind@v0.33.0: reading module: 404\n',
      exit,
    },
  ])
const tools = () =>
  existsSync(path.join(cacheDir, 'tools')) ? readdirSync(path.join(cacheDir, 'tools', 'kind-v0.33.0')) : []

describe('kind', () => {
  it('on PATH is used when it is the pinned version', async () => {
    const { program } = kindOnPath('v0.33.0')
    expect(await find('v0.33.0')).toBe(program)
    expect(events).toEqual([])
  })

  it('of another version on PATH is left alone, and the pinned one is built once', async () => {
    kindOnPath('v0.30.0')
    const go = goThatBuilds('v0.33.0')
    const program = path.join(cacheDir, 'tools', 'kind-v0.33.0', 'kind')
    expect(await find('v0.33.0')).toBe(program)
    expect(await find('v0.33.0')).toBe(program)
    expect(go.calls()).toEqual(['install -trimpath -ldflags=-s -w sigs.k8s.io/kind@v0.33.0'])
    expect(events).toHaveLength(1)
    expect(tools()).toEqual(['kind'])
  })

  it('is built with the shared Go caches when there are any', async () => {
    goThatBuilds('v0.33.0')
    mkdirSync(path.join(cacheDir, 'go', 'build'), { recursive: true })
    await find('v0.33.0')
    expect(readFileSync(path.join(programs, 'caches'), 'utf8').trim()).toBe(
      `${path.join(cacheDir, 'go', 'build')} ${path.join(cacheDir, 'go', 'mod')}`,
    )
  })

  it('cannot be built without Go, which is told with what to install', async () => {
    await expect(find('v0.33.0')).rejects.toMatchObject({
      code: 'MISSING_TOOL',
      hint: expect.stringContaining('Install kind v0.33.0 or Go') as string,
    })
    expect(events).toEqual([])
  })

  it('that does not build is an error with the command, and nothing is left', async () => {
    goThatBuilds('v0.33.0', 1)
    await expect(find('v0.33.0')).rejects.toMatchObject({
      code: 'BUILD_FAILED',
      evidence: [expect.stringContaining('go install'), 'kind@v0.33.0: reading module: 404'],
    })
    expect(tools()).toEqual([])
  })

  it('of another version than asked for is not accepted from the build', async () => {
    goThatBuilds('v0.1.0')
    await expect(find('v0.33.0')).rejects.toMatchObject({ code: 'BUILD_FAILED' })
    expect(tools()).toEqual([])
  })

  it('has its version from images/versions.yaml', async () => {
    const repo = temporaryFolder()
    mkdirSync(path.join(repo, 'images'))
    const file = path.join(repo, 'images', 'versions.yaml')
    writeFileSync(file, 'kind: v9.8.7\n')
    const { program } = kindOnPath('v9.8.7')
    expect(await find(undefined, repo)).toBe(program)
    writeFileSync(file, 'kind: latest\n')
    await expect(find(undefined, repo)).rejects.toMatchObject({ code: 'BAD_VERSIONS_FILE' })
  })
})
