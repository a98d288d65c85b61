import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fakeEngine, type FakeEngine } from '../../engine/fake-engine.ts'
import type { RunSpec } from '../../engine/engine.ts'
import { temporaryFolder } from '../../engine/testing/temporary-folder.ts'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { freePort } from '../../host/free-port.ts'
import { createK3sProvider } from './k3s-provider.ts'

const run = { signal: new AbortController().signal, progress: () => undefined }
const fatal = 'level=fatal t=0.1 stage=identity msg="this container has no default route"'
const nodeImage = 'localhost/node:1'

const spec = async () => ({
  name: 'demo',
  nodes: 1,
  nodeImage,
  httpPort: await freePort(),
  httpsPort: await freePort(),
  listenAddress: '127.0.0.1',
  kubeadmPatches: [],
  extraMounts: [],
})

/** An engine in which a container can be started only when `refuse` says nothing, and whose nodes then fail at their first stage. */
function engineThat(refuse: (spec: RunSpec) => string | undefined): FakeEngine {
  const fake = fakeEngine()
  fake.images = [{ id: 'sha256:1', refs: [nodeImage], labels: { 'io.local-cloud.source': 'packages' } }]
  Object.assign(fake.engine, {
    runDetached(asked: RunSpec) {
      const words = refuse(asked)
      return words === undefined
        ? Promise.resolve(asked.name ?? '')
        : Promise.reject(
            new LocalCloudError('COMMAND_FAILED', { message: 'podman run failed', evidence: [words] }),
          )
    },
    logs: () => Promise.resolve(fatal),
  })
  return fake
}
const provider = ({ engine }: FakeEngine) => {
  const stateDir = temporaryFolder()
  return createK3sProvider({ engine, paths: { repo: '/repo', stateDir, cacheDir: stateDir } })
}

describe('a host port that is taken when the node starts', () => {
  it('is one of the ingress: PORT_TAKEN with its holder and a free one, and nothing stays', async () => {
    const wanted = await spec()
    const fake = engineThat(() => `Error: listen tcp4 127.0.0.1:1: bind: address already in use`)
    const somebody = createServer().listen(wanted.httpsPort, '127.0.0.1')
    onTestFinished(() => {
      somebody.close()
    })
    await expect(provider(fake).create(wanted, run)).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining(
        `Port ${String(wanted.httpsPort)} on 127.0.0.1 is in use by`,
      ) as string,
      hint: expect.stringMatching(/--https-port with a free port, such as \d+/) as string,
    })
  })

  it('is the one for the API: another one is taken', async () => {
    const tried: number[] = []
    const fake = engineThat(({ ports = [] }) => {
      tried.push(ports.find(({ containerPort }) => containerPort === 6443)?.hostPort ?? 0)
      return tried.length === 1 ? 'Error: rootlessport cannot expose: port is already allocated' : undefined
    })
    await expect(provider(fake).create(await spec(), run)).rejects.toMatchObject({
      code: 'NODE_START_FAILED',
      message: expect.stringContaining('stage identity: this container has no default route') as string,
    })
    expect(tried).toHaveLength(2)
    expect(tried[0]).not.toBe(tried[1])
  })

  it('is told as it is when it stays so', async () => {
    let tries = 0
    const fake = engineThat(() => {
      tries += 1
      return 'bind: address already in use'
    })
    await expect(provider(fake).create(await spec(), run)).rejects.toMatchObject({ code: 'COMMAND_FAILED' })
    expect(tries).toBe(4)
  })
})

it('a node image that the engine does not have is named, with what to do, and nothing is made', async () => {
  const fake = fakeEngine()
  await expect(
    provider(fake).create({ ...(await spec()), nodeImage: 'localhost/absent:1' }, run),
  ).rejects.toMatchObject({
    code: 'IMAGE_MISSING',
    message: 'The node image localhost/absent:1 is not in podman.',
    hint: expect.stringContaining('Run the command again') as string,
  })
  expect(fake.calls).toEqual([])
})
