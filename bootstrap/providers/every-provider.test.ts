import { describe, expect, it } from 'vitest'
import { everyProvider } from './every-provider.ts'
import { fakeProvider } from './fake-provider.ts'
import type { ClusterSpec } from './provider.ts'

const spec: ClusterSpec = {
  name: 'c',
  nodes: 1,
  nodeImage: 'node',
  httpPort: 1,
  httpsPort: 2,
  listenAddress: '127.0.0.1',
  kubeadmPatches: [],
  extraMounts: [],
}
const run = { signal: new AbortController().signal, progress: () => undefined }
const two = (wanted: 'kind' | 'k3s') => {
  const [kind, k3s] = [fakeProvider('kind'), fakeProvider('k3s')]
  return { kind, k3s, all: everyProvider([kind.provider, k3s.provider], wanted) }
}

describe('every provider as one', () => {
  it('makes a cluster with the wanted one', async () => {
    const { kind, k3s, all } = two('k3s')
    await all.create(spec, run)
    expect([kind.calls, k3s.calls]).toEqual([[], ['create c']])
    expect(all.kind).toBe('k3s')
  })

  it('finds, starts and reads what another one made', async () => {
    const { kind, k3s, all } = two('k3s')
    await kind.provider.create(spec, run)
    expect(await all.find('c', run.signal)).toMatchObject({ name: 'c', owner: 'ours' })
    expect(await all.list(run.signal)).toHaveLength(1)
    await all.start('c', run)
    await all.kubeconfig('c', run.signal)
    expect(kind.calls).toEqual(['create c', 'start c'])
    expect(k3s.calls).toEqual([])
  })

  it('removes with the one that made it first, since that takes containers away before networks', async () => {
    const { kind, k3s, all } = two('kind')
    await k3s.provider.create(spec, run)
    const order: string[] = []
    k3s.onChange = () => order.push('k3s')
    kind.onChange = () => order.push('kind')
    await all.delete('c', run)
    expect(order).toEqual(['k3s', 'kind'])
  })

  it('replaces the half-made cluster of another one', async () => {
    const { kind, k3s, all } = two('k3s')
    await kind.provider.create(spec, run)
    await all.create(spec, run)
    expect(kind.calls).toEqual(['create c', 'delete c'])
    expect(k3s.calls).toEqual(['create c'])
  })

  it('leaves a foreign one of another provider alone', async () => {
    const { kind, k3s, all } = two('k3s')
    kind.clusters.set('c', { name: 'c', owner: 'foreign', nodes: [] })
    await expect(all.create(spec, run)).rejects.toMatchObject({ code: 'FOREIGN_CLUSTER' })
    expect([kind.calls, k3s.calls]).toEqual([[], []])
  })

  it('says so when there is none', async () => {
    const { all } = two('kind')
    await expect(all.start('c', run)).rejects.toMatchObject({ code: 'NO_CLUSTER' })
    await all.delete('c', run)
  })
})
