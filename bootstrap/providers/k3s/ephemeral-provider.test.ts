import { describe, expect, it } from 'vitest'
import { fakeEngine } from '../../engine/fake-engine.ts'
import { clusterLabel, managedLabel } from '../../engine/engine.ts'
import { createEphemeralProvider, sweepAbandoned } from './ephemeral-provider.ts'
import { madeLabel, ownerLabel, ownLabels, thisMachine } from './ephemeral-owner.ts'
import { providerLabel } from './k3s-nodes.ts'

const { signal } = new AbortController()
const now = new Date()
const of = (cluster: string, owner: Record<string, string>) => ({
  [managedLabel]: 'true',
  [clusterLabel]: cluster,
  [providerLabel]: 'ephemeral',
  ...owner,
})
/** This process's number, taken by another process before it. */
const owner = `${String(thisMachine.boot())}/${String(thisMachine.namespace())}/${String(process.pid)}/1`
const gone = { ...ownLabels(), [ownerLabel]: owner }
const elsewhere = (hours: number) => ({
  [ownerLabel]: `${String(thisMachine.boot())}/pid:[1]/7/1`,
  [madeLabel]: new Date(now.getTime() - hours * 3_600_000).toISOString(),
})
const container = (name: string, labels: Record<string, string>) => ({
  id: name,
  name,
  state: 'running',
  image: 'node',
  labels,
})

describe('a start sweeps', () => {
  it('what processes left that are gone, or old where they cannot be looked for; nothing of the living, nothing foreign', async () => {
    const fake = fakeEngine()
    fake.containers = [
      container('killed', of('killed', gone)),
      container('killed-worker', of('killed', gone)),
      container('living', of('living', ownLabels())),
      container('old-elsewhere', of('old-elsewhere', elsewhere(7))),
      container('new-elsewhere', of('new-elsewhere', elsewhere(5))),
      container('named', { ...of('named', gone), [providerLabel]: 'k3s' }),
      container('somebody', { [ownerLabel]: owner }),
    ]
    fake.networks = [
      { name: 'local-cloud-killed', labels: of('killed', gone) },
      { name: 'local-cloud-living', labels: of('living', ownLabels()) },
      { name: 'local-cloud-named', labels: { ...of('named', gone), [providerLabel]: 'k3s' } },
    ]
    const swept = await sweepAbandoned(fake.engine, signal, now)
    expect(swept.sort()).toEqual(['killed', 'old-elsewhere'])
    expect(fake.containers.map(({ name }) => name)).toEqual(['living', 'new-elsewhere', 'named', 'somebody'])
    expect(fake.networks.map(({ name }) => name)).toEqual(['local-cloud-living', 'local-cloud-named'])
  })

  it('a network whose containers were never made', async () => {
    const fake = fakeEngine()
    fake.networks = [
      { name: 'local-cloud-early', labels: of('early', gone) },
      { name: 'local-cloud-starting', labels: of('starting', ownLabels()) },
    ]
    expect(await sweepAbandoned(fake.engine, signal, now)).toEqual(['early'])
    expect(fake.networks.map(({ name }) => name)).toEqual(['local-cloud-starting'])
  })
})

it('a node image that the engine does not have is named, with what to do, and nothing is made', async () => {
  const fake = fakeEngine()
  const paths = { repo: '/repo', stateDir: '/nonexistent', cacheDir: '/nonexistent' }
  const provider = createEphemeralProvider({ engine: fake.engine, paths, socket: 'unix:///nonexistent' })
  const creating = provider.create(
    {
      name: 'demo',
      nodes: 2,
      nodeImage: 'localhost/absent:1',
      httpPort: 1,
      httpsPort: 2,
      listenAddress: '127.0.0.1',
      kubeadmPatches: [],
      extraMounts: [],
    },
    { signal, progress: () => undefined },
  )
  await expect(creating).rejects.toMatchObject({
    code: 'IMAGE_MISSING',
    message: 'The node image localhost/absent:1 is not in podman.',
    hint: expect.stringContaining('Run the command again') as string,
  })
  expect(fake.calls).toEqual([])
})
