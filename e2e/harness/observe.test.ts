import { describe, expect, it } from 'vitest'
import { fakeCluster } from '../../bootstrap/kube/fake-client.ts'
import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
import { observe, pointsOf, type Observation } from './observe.ts'
import { CheckBroke, ExpectationFailed } from './verdict.ts'

const query = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'here' }
const key = 'Deployment here/web'

async function deployment(replicas = 2) {
  const fake = fakeCluster()
  await fake.client.apply(
    [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'here' },
        spec: { replicas },
      },
    ],
    { signal: AbortSignal.timeout(5_000) },
  )
  const scale = (to: number) => {
    fake.edit(key, (object) => {
      ;(object['spec'] as { replicas: number }).replicas = to
    })
  }
  return { fake, scale }
}

const watch = (
  fake: ReturnType<typeof fakeCluster>,
  signal = AbortSignal.timeout(10_000),
): Promise<Observation<number>> =>
  observe(fake.client, query, ([one]) => (one?.['spec'] as { replicas: number } | undefined)?.replicas ?? 0, {
    signal,
  })

/** Lets the fake's watchers run. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('observe', () => {
  it('begins with what is there, and adds a value at each change', async () => {
    const { fake, scale } = await deployment()
    await using seen = await watch(fake)
    for (const to of [4, 4, 6]) {
      scale(to)
      await turn()
    }
    expect(seen.series.map(({ value }) => value)).toEqual([2, 4, 6])
    expect(seen.latest()).toBe(6)
    expect(seen.series.every(({ atMs }, index) => atMs >= (seen.series[index - 1]?.atMs ?? 0))).toBe(true)
  })

  it('keeps a value as it was, whatever becomes of the object', async () => {
    const { fake } = await deployment()
    await using seen = await observe(fake.client, query, ([one]) => one?.metadata, {
      signal: AbortSignal.timeout(10_000),
    })
    fake.edit(key, ({ metadata }) => {
      metadata.labels = { changed: 'yes' }
    })
    await turn()
    expect(seen.series.map(({ value }) => value?.labels)).toEqual([undefined, { changed: 'yes' }])
  })

  it('waits until a value is as wanted', async () => {
    const { fake, scale } = await deployment()
    await using seen = await watch(fake)
    const signal = AbortSignal.timeout(5_000)
    const six = seen.until('six', (value) => ({ ok: value === 6, seen: String(value) }), {
      timeoutMs: 5_000,
      signal,
    })
    scale(6)
    expect((await six).value).toBe(6)
  })

  it('says what it saw last when time is over', async () => {
    const { fake } = await deployment()
    await using seen = await watch(fake)
    const options = { timeoutMs: 30, signal: AbortSignal.timeout(5_000) }
    const six = seen.until(
      'six replicas',
      (value) => ({ ok: value === 6, seen: `${String(value)} replicas` }),
      options,
    )
    await expect(six).rejects.toThrow(ExpectationFailed)
    await expect(six).rejects.toThrow('six replicas: not within 30 ms; last seen: 2 replicas')
  })

  it('does not wait for what cannot come any more', async () => {
    const { fake, scale } = await deployment()
    await using seen = await watch(fake)
    const options = { timeoutMs: 60_000, signal: AbortSignal.timeout(5_000) }
    const six = seen.until(
      'six replicas',
      (value) => ({ ok: value === 6, seen: `${String(value)} replicas`, fatal: value > 6 }),
      options,
    )
    scale(7)
    await expect(six).rejects.toThrow('six replicas: 7 replicas')
  })

  it('stops waiting when it is told to', async () => {
    const { fake } = await deployment()
    await using seen = await watch(fake)
    const interrupted = new AbortController()
    const options = { timeoutMs: 60_000, signal: interrupted.signal }
    const never = seen.until('never', () => ({ ok: false, seen: 'no' }), options)
    interrupted.abort(new Error('Ctrl-C'))
    await expect(never).rejects.toThrow('Ctrl-C')
  })

  it('is no answer once the watch has ended', async () => {
    const { fake, scale } = await deployment()
    const interrupted = new AbortController()
    await using seen = await watch(fake, interrupted.signal)
    interrupted.abort()
    scale(4)
    await turn()
    expect(() => seen.latest()).toThrow(CheckBroke)
  })

  it('is no observation when the first list fails', async () => {
    const { fake } = await deployment()
    fake.client.waitForList = () =>
      Promise.reject(new LocalCloudError('API_REFUSED', { message: 'forbidden' }))
    await expect(watch(fake)).rejects.toThrow('forbidden')
  })
})

it('points leave out what has no number and what does not change', () => {
  const series = [3, undefined, 3, 4].map((value, atMs) => ({ atMs, value }))
  expect(pointsOf(series, (value) => value)).toEqual([
    [0, 3],
    [3, 4],
  ])
})
