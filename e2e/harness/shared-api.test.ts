import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import type { Engine } from '../../bootstrap/engine/engine.ts'
import { fakeEngine } from '../../bootstrap/engine/fake-engine.ts'
import { temporaryFolder } from '../../bootstrap/engine/testing/temporary-folder.ts'
import { useApi } from './shared-api.ts'

const signal = AbortSignal.timeout(30_000)
const folder = mkdtempSync(path.join(tmpdir(), 'local-cloud-test-'))
beforeAll(() => {
  vi.stubEnv('TMPDIR', folder)
  vi.stubEnv('DOCKER_HOST', undefined)
})
beforeEach(() => {
  rmSync(path.join(folder, 'started'), { force: true })
})
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})
const left = (): string[] => readdirSync(folder).filter((name) => name.startsWith('local-cloud-ephemeral-'))

/** A podman whose service answers and writes down its process number at every start. */
function podman(): { engine: Engine; started: () => number[] } {
  const program = path.join(folder, 'podman')
  const file = path.join(folder, 'started')
  const server = `
    require("node:fs").appendFileSync(process.argv[2], process.pid + " ")
    require("node:http").createServer((question, answer) => answer.end("OK")).listen(process.argv[1].slice(7))`
  writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} -e '${server}' "$4" '${file}'\n`, {
    mode: 0o755,
  })
  return {
    engine: { ...fakeEngine().engine, program, env: {} },
    started: () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').map(Number) : []),
  }
}

const runs = (pid: number | undefined): boolean => existsSync(`/proc/${String(pid)}`)

it('is started for the first, shared, and ended with the last; the next has the same address', async () => {
  const { engine, started } = podman()
  const [first, second] = await Promise.all([useApi(engine, signal), useApi(engine, signal)])
  expect(second.url).toBe(first.url)
  await first[Symbol.asyncDispose]()
  expect(started()).toHaveLength(1)
  expect(runs(started()[0])).toBe(true)
  // One comes while the last one leaves.
  const [, third] = await Promise.all([second[Symbol.asyncDispose](), useApi(engine, signal)])
  expect(third.url).toBe(first.url)
  expect(existsSync(third.url.replace('unix://', ''))).toBe(true)
  expect(started().map(runs)).toEqual([false, true])
  await third[Symbol.asyncDispose]()
  expect(started().map(runs)).toEqual([false, false])
  expect(left()).toEqual([])
})

it('keeps its address when temporary files go elsewhere', async () => {
  const { engine } = podman()
  const first = await useApi(engine, signal)
  await first[Symbol.asyncDispose]()
  vi.stubEnv('TMPDIR', temporaryFolder())
  const second = await useApi(engine, signal)
  vi.stubEnv('TMPDIR', folder)
  expect(second.url).toBe(first.url)
  await second[Symbol.asyncDispose]()
})

it('is started again when it died', async () => {
  const { engine, started } = podman()
  const first = await useApi(engine, signal)
  process.kill(started()[0] ?? 0, 'SIGKILL')
  await vi.waitFor(
    () => {
      expect(runs(started()[0])).toBe(false)
    },
    { timeout: 10_000 },
  )
  const second = await useApi(engine, signal)
  expect(second.url).toBe(first.url)
  expect(started().map(runs)).toEqual([false, true])
  await first[Symbol.asyncDispose]()
  expect(runs(started()[1])).toBe(true)
  await second[Symbol.asyncDispose]()
  expect(runs(started()[1])).toBe(false)
})

it('leaves nothing when it cannot be started', async () => {
  const program = path.join(folder, 'podman')
  writeFileSync(program, '#!/bin/sh\necho "no storage" >&2\nexit 125\n', { mode: 0o755 })
  await expect(useApi({ ...fakeEngine().engine, program, env: {} }, signal)).rejects.toMatchObject({
    code: 'ENGINE_DEAD',
    evidence: ['no storage'],
  })
  expect(left()).toEqual([])
})
