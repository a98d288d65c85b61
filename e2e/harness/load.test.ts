import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import type { KubeClient } from '../../bootstrap/kube/client.ts'
import { fakeCluster } from '../../bootstrap/kube/fake-client.ts'
import { eventually } from './eventually.ts'
import { burnScript, execLoad, readTally } from './load.ts'
import { CheckBroke } from './verdict.ts'

describe('readTally', () => {
  it('tells what each target answered', () => {
    expect(readTally('copy 120 0 \ntwin 118 2 wget: server returned error: HTTP/1.1 429\n')).toBe(
      'copy: 120 answered, 0 not; twin: 118 answered, 2 not',
    )
  })

  it('is no load when a target answered nothing', () => {
    expect(() =>
      readTally('copy 120 0 \ntwin 0 9 wget: server returned error: HTTP/1.1 403 Forbidden'),
    ).toThrow('twin answered no request of the load: wget: server returned error: HTTP/1.1 403 Forbidden')
    expect(() => readTally('sh: out of memory')).toThrow(CheckBroke)
  })
})

describe('execLoad', () => {
  const later = <T>(value: T) =>
    new Promise<T>((resolve) => {
      setImmediate(() => {
        resolve(value)
      })
    })
  const pod = (name: string, created: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'here', labels: { app: 'web' }, creationTimestamp: created },
  })
  const target = { name: 'web', namespace: 'here', labelSelector: 'app=web' }

  async function started(exec: KubeClient['exec']) {
    const { client } = fakeCluster()
    const signal = AbortSignal.timeout(10_000)
    await client.apply([pod('young', '2026-01-02'), pod('old', '2026-01-01'), pod('older', '2025-01-01')], {
      signal,
    })
    return execLoad({ ...client, exec }, { targets: [target], spread: 2, signal })
  }

  it('shares the load among the oldest pods, and is quiet at 0', async () => {
    const calls: string[] = []
    await using load = await started(({ name }, argv) => {
      calls.push(`${name} ${argv.slice(3).join(' ')}`)
      return later({ exitCode: 0, stdout: '', stderr: '' })
    })
    await load.set(500, AbortSignal.timeout(1_000))
    // A program of the second turn: those of the first are counted.
    await eventually('two turns', () => ({ ok: calls.length > 2, seen: calls.join() }), {
      timeoutMs: 5_000,
      intervalMs: 5,
    })
    await load.set(0, AbortSignal.timeout(1_000))
    expect(calls.slice(0, 2).sort()).toEqual(['old 0.25 5', 'older 0.25 5'])
    expect(await load.tally(AbortSignal.timeout(1_000))).toMatch(/^web: \d+ programs ended well, 0 not$/)
  })

  it('is no load when no program runs', async () => {
    const calls: string[] = []
    await using load = await started(({ name }) => {
      calls.push(name)
      return later({ exitCode: 127, stdout: '', stderr: 'node: not found' })
    })
    await load.set(500, AbortSignal.timeout(1_000))
    await eventually('programs that failed', () => ({ ok: calls.length > 2, seen: calls.join() }), {
      timeoutMs: 5_000,
      intervalMs: 5,
    })
    expect(() => load.tally(AbortSignal.timeout(1_000))).toThrow(
      'No program of the load ran in web: node: not found',
    )
  })

  it('burns the share that it is told, for as long as it is told', () => {
    const started = performance.now()
    const script = `${burnScript}\nprocess.on('exit', () => process.stdout.write(String(usedMs())))`
    const { stdout, status } = spawnSync(process.execPath, ['-e', script, '0.5', '1'], { encoding: 'utf8' })
    expect(status).toBe(0)
    expect(performance.now() - started).toBeGreaterThan(950)
    // Half a second; less on a machine that has not so much to give.
    expect(Number(stdout)).toBeGreaterThan(100)
    expect(Number(stdout)).toBeLessThan(700)
  })
})
