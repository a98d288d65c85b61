import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Event } from '../report/events.ts'
import { lifeOf, tryLock } from './lock-folder.mjs'
import { withLock } from './lock.ts'

const lockFolder = path.join(import.meta.dirname, 'lock-folder.mjs')

let stateDir = ''
let children: ChildProcess[] = []
beforeEach(() => {
  stateDir = mkdtempSync(path.join(tmpdir(), 'local-cloud-lock-'))
  children = []
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(stateDir, { recursive: true })
})

const paths = () => ({ repo: '/repo', stateDir, cacheDir: path.join(stateDir, 'cache') })
const folder = (): string => path.join(stateDir, 'lock', 'demo')

/** Another process that takes the lock and holds it until it is told to let go or is killed. */
async function otherProcess(): Promise<ChildProcess> {
  const script = `
    import { waitForLock } from ${JSON.stringify(lockFolder)}
    const release = await waitForLock(${JSON.stringify(folder())}, { command: 'up --name demo' })
    process.stdin.once('data', () => { release(); process.exit() })
    console.log('locked')`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  await once(child.stdout, 'data')
  return child
}

const quiet = { emit: () => undefined, signal: new AbortController().signal }

describe('withLock', () => {
  it('runs the work, gives its result and leaves no file', async () => {
    const seen = await withLock(paths(), 'demo', quiet, async () => readdirSync(folder()).length)
    expect(seen).toBe(1)
    expect(existsSync(folder())).toBe(false)
  })

  it('releases when the work fails', async () => {
    await expect(withLock(paths(), 'demo', quiet, () => Promise.reject(new Error('broken')))).rejects.toThrow(
      'broken',
    )
    expect(existsSync(folder())).toBe(false)
  })

  it('waits for another process, saying once who it is, and goes on when that lets go', async () => {
    const other = await otherProcess()
    const events: Event[] = []
    const emit = (event: Event): void => {
      events.push(event)
      setTimeout(() => other.stdin?.write('go\n'), 300)
    }
    const started = Date.now()
    await withLock(paths(), 'demo', { ...quiet, emit }, async () => undefined)
    expect(Date.now() - started).toBeGreaterThanOrEqual(290)
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      type: 'notice',
      message: expect.stringContaining(`process ${String(other.pid)} (up --name demo, since 20`) as string,
    })
  })

  it('takes over from a process that was killed', async () => {
    const other = await otherProcess()
    other.kill('SIGKILL')
    await once(other, 'exit')
    expect(readdirSync(folder())).toHaveLength(1)
    await withLock(paths(), 'demo', { ...quiet, wait: false }, async () => undefined)
    expect(existsSync(folder())).toBe(false)
  })

  it('clears away what a process left that was killed while it took the lock', async () => {
    mkdirSync(folder(), { recursive: true })
    writeFileSync(path.join(folder(), '.4194305-half.json'), '{')
    await withLock(paths(), 'demo', { ...quiet, wait: false }, async () => undefined)
    expect(existsSync(folder())).toBe(false)
  })

  it('is not fooled by a new process with the pid of a dead one', async () => {
    mkdirSync(folder(), { recursive: true })
    const holder = {
      pid: process.pid,
      life: 'an earlier boot/1',
      since: '2026-01-01T00:00:00.000Z',
      command: 'up',
    }
    writeFileSync(path.join(folder(), `${String(process.pid)}-old.json`), JSON.stringify(holder))
    await withLock(paths(), 'demo', { ...quiet, wait: false }, async () => undefined)
  })

  it('refuses with LOCKED when it is not to wait', async () => {
    const other = await otherProcess()
    await expect(
      withLock(paths(), 'demo', { ...quiet, wait: false }, async () => undefined),
    ).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining(String(other.pid)) as string,
    })
  })

  it('stops waiting when it is interrupted', async () => {
    await otherProcess()
    const controller = new AbortController()
    setTimeout(() => {
      controller.abort()
    }, 100)
    const attempt = withLock(paths(), 'demo', { ...quiet, signal: controller.signal }, async () => undefined)
    await expect(attempt).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })

  it('keeps different names apart', async () => {
    await otherProcess()
    await withLock(paths(), 'other', { ...quiet, wait: false }, async () => undefined)
  })

  it('lets only one in at a time when many come at once', async () => {
    const inside = path.join(stateDir, 'inside')
    // Tries without a pause, so that contenders do meet; whoever finds the other's file inside has broken in.
    const script = `
      import { rmSync, writeFileSync } from 'node:fs'
      import { tryLock } from ${JSON.stringify(lockFolder)}
      let entered = 0
      for (const end = Date.now() + 1500; Date.now() < end; ) {
        const attempt = tryLock(${JSON.stringify(folder())}, 'race')
        if (!('release' in attempt)) continue
        writeFileSync(${JSON.stringify(inside)}, '', { flag: 'wx' })
        rmSync(${JSON.stringify(inside)})
        attempt.release()
        entered++
      }
      process.exitCode = entered > 0 ? 0 : 3`
    const codes = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
          stdio: ['ignore', 'ignore', 'inherit'],
        })
        children.push(child)
        const [code] = (await once(child, 'exit')) as [number]
        return code
      }),
    )
    expect(codes).toEqual([0, 0, 0, 0])
    expect(existsSync(folder())).toBe(false)
  })
})

describe('tryLock', () => {
  it('sees a second contender of the same process', () => {
    const first = tryLock(folder(), 'a')
    expect(tryLock(folder(), 'b')).toMatchObject({ holder: { pid: process.pid, command: 'a' } })
    if ('release' in first) first.release()
    expect(tryLock(folder(), 'b')).toHaveProperty('release')
  })
})

describe('lifeOf', () => {
  it('tells processes apart and knows the dead', async () => {
    const child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'])
    children.push(child)
    await once(child, 'spawn')
    const pid = child.pid ?? 0
    expect(lifeOf(pid)).toBe(lifeOf(pid))
    expect(lifeOf(pid)).not.toBe(lifeOf(process.pid))
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(lifeOf(pid)).toBeUndefined()
  })
})
