import { throwIfAborted } from '../process/run-command.ts'
import type { ContainerInfo, Engine, ImageInfo } from './engine.ts'

interface Labelled {
  name: string
  labels: Record<string, string>
}

/** A container without mounts unless some are named. */
type FakeContainer = Omit<ContainerInfo, 'mounts'> & Partial<Pick<ContainerInfo, 'mounts'>>

/** An engine in memory, for tests of what stands on it. */
export interface FakeEngine {
  readonly engine: Engine
  containers: FakeContainer[]
  images: ImageInfo[]
  networks: Labelled[]
  volumes: Labelled[]
  /** Every call that changes something. */
  readonly calls: string[]
}

const matches =
  (label: string) =>
  ({ labels }: { labels: Record<string, string> }): boolean => {
    const [key = '', value] = label.split('=')
    return value === undefined ? labels[key] !== undefined : labels[key] === value
  }

/** With nothing in it. */
export function fakeEngine(): FakeEngine {
  const calls: string[] = []
  const did = async (call: string, signal: AbortSignal): Promise<void> => {
    throwIfAborted(signal)
    await Promise.resolve()
    calls.push(call)
  }
  const setState = (name: string, state: string): void => {
    for (const container of fake.containers) {
      if (container.name === name || container.id === name) container.state = state
    }
  }
  const engine: Engine = {
    kind: 'podman',
    program: '/usr/bin/podman',
    version: '4.3.1',
    env: {},
    resolvesNames: true,
    imageExists: (ref) => Promise.resolve(fake.images.some((image) => image.refs.includes(ref))),
    inspectImage: (ref) =>
      Promise.resolve(fake.images.find((image) => image.refs.includes(ref) || image.id === ref)),
    pull: (ref, { signal }) => did(`pull ${ref}`, signal),
    loadArchive: () => Promise.resolve([]),
    saveArchive: () => Promise.resolve(),
    tag: (ref, as, signal) => did(`tag ${ref} ${as}`, signal),
    async removeImage(ref, signal) {
      await did(`remove image ${ref}`, signal)
      fake.images = fake.images.filter((image) => image.id !== ref && !image.refs.includes(ref))
    },
    listImages: (label) => Promise.resolve(fake.images.filter(matches(label))),
    build: (spec, signal) => did(`build ${spec.tag}`, signal),
    listContainers: (label) =>
      Promise.resolve(
        fake.containers.filter(matches(label)).map((container) => ({ mounts: [], ...container })),
      ),
    async start(name, signal) {
      await did(`start ${name}`, signal)
      setState(name, 'running')
    },
    async stop(name, signal) {
      await did(`stop ${name}`, signal)
      setState(name, 'exited')
    },
    async remove(name, signal) {
      await did(`remove ${name}`, signal)
      fake.containers = fake.containers.filter(
        (container) => container.name !== name && container.id !== name,
      )
    },
    run: () => Promise.resolve({ exitCode: 0, stdout: '', stderr: '' }),
    runDetached: (spec) => Promise.resolve(spec.name ?? 'container'),
    exec: () => Promise.resolve({ exitCode: 0, stdout: '', stderr: '' }),
    logs: () => Promise.resolve(''),
    ensureNetwork: (name, _labels, signal) => did(`network ${name}`, signal),
    listNetworks: (label) => Promise.resolve(fake.networks.filter(matches(label)).map(({ name }) => name)),
    networkLabels: (name) => Promise.resolve(fake.networks.find((network) => network.name === name)?.labels),
    async removeNetwork(name, signal) {
      await did(`remove network ${name}`, signal)
      fake.networks = fake.networks.filter((network) => network.name !== name)
    },
    listVolumes: (label) => Promise.resolve(fake.volumes.filter(matches(label)).map(({ name }) => name)),
    async removeVolume(name, signal) {
      await did(`remove volume ${name}`, signal)
      fake.volumes = fake.volumes.filter((volume) => volume.name !== name)
    },
  }
  const fake: FakeEngine = { engine, containers: [], images: [], networks: [], volumes: [], calls }
  return fake
}
