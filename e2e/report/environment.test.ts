import { describe, expect, it } from 'vitest'
import { detectHostLimits, type HostWorld } from '../../bootstrap/host/host-limits.ts'
import type { ConnectedKube, KubeObject } from '../../bootstrap/kube/client.ts'
import { fakeCluster } from '../../bootstrap/kube/fake-client.ts'
import type { Cluster } from '../harness/cluster.ts'
import { describeEnvironment } from './environment.ts'
import { imagesOfPods } from './pod-images.ts'

const pod = (
  name: string,
  namespace: string,
  ...containers: [image: string, imageID: string][]
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace },
  status: { containerStatuses: containers.map(([image, imageID]) => ({ image, imageID })) },
})

const world: HostWorld = {
  platform: 'linux',
  arch: 'x64',
  uid: 0,
  memory: 8 * 2 ** 30,
  cpus: 4,
  read: (file) =>
    ({
      '/proc/self/limits': 'Max open files            1024                 4096                 files\n',
      '/proc/self/status': 'CapBnd:\t0000000000000000\n',
      '/proc/self/mounts': 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n',
    })[file],
  exists: () => false,
  fileSystemType: () => undefined,
}

describe('imagesOfPods', () => {
  it('gives digests, and all of them where pods of one image differ', () => {
    expect(
      imagesOfPods([
        pod('b', 's', ['slate:local', 'sha256:1'], ['proxy:1', 'docker.io/proxy@sha256:7']),
        pod('a', 's', ['slate:local', 'sha256:1']),
        pod('c', 's', ['slate:local', 'sha256:2'], ['new:1', '']),
        { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'pending' } },
      ]),
    ).toEqual([
      { image: 'new:1', running: 'not started (1 container)' },
      { image: 'proxy:1', running: 'sha256:7 (1 container)' },
      { image: 'slate:local', running: 'sha256:1 (2 containers), sha256:2 (1 container)' },
    ])
  })
})

describe('describeEnvironment', () => {
  const describeIt = async (record?: Cluster['record']) => {
    const fake = fakeCluster()
    const probe = pod('probe', 'slate', ['busybox:1', 'sha256:3'])
    probe.metadata.labels = { 'io.local-cloud.e2e-run': 'x' }
    const objects: KubeObject[] = [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'slate' } },
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'e2e-x', labels: { 'io.local-cloud.e2e-run': 'x' } },
      },
      pod('core', 'slate', ['slate:local', 'sha256:1']),
      probe,
      pod('probe', 'e2e-x', ['busybox:1', 'sha256:3']),
      {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: {
          name: 'n1',
          labels: {
            'nvidia.com/gpu.present': 'true',
            'io.local-cloud.gpu-tier': 'mock',
            'io.local-cloud.gpu-advertised': '2',
          },
        },
        status: { nodeInfo: { kubeletVersion: 'v1.36.4' }, allocatable: { 'nvidia.com/gpu': '2' } },
      },
    ]
    await fake.client.apply(objects, { signal: AbortSignal.timeout(5_000), dryRun: 'skip' })
    const cluster = {
      name: 'c',
      context: 'kind-c',
      ingressUrl: 'http://127.0.0.1:8080',
      kube: fake.client as unknown as ConnectedKube,
      ...(record ? { record } : {}),
    } as Cluster
    return describeEnvironment(cluster, AbortSignal.timeout(5_000), detectHostLimits(world))
  }

  const record: NonNullable<Cluster['record']> = {
    plan: {
      name: 'c',
      provider: 'kind',
      kubernetesVersion: 'v1.36.4',
      nodes: [],
      listenAddress: '127.0.0.1',
      httpPort: 8080,
      httpsPort: 8443,
      extraMounts: [],
      kubeadmPatches: [],
      addons: [{ name: 'cilium', version: 'v1' }],
      systems: [],
      mergeKubeconfig: false,
    },
    complete: false,
    toolVersion: '0.1.0',
    parts: {},
  }

  it('names provider, profile, versions, what the system’s pods run, host limits and adaptations', async () => {
    const facts = await describeIt(record)
    expect(facts).toEqual(
      expect.arrayContaining([
        { group: 'Cluster', name: 'provider', value: 'kind' },
        { group: 'Cluster', name: 'profile', value: 'quick' },
        { group: 'Cluster', name: 'Kubernetes', value: 'v1.36.4' },
        { group: 'Cluster', name: 'complete', value: 'no: not everything of its plan was proven' },
        { group: 'Images running in slate', name: 'slate:local', value: 'sha256:1 (1 container)' },
        { group: 'Machine', name: 'open files', value: 'at most 4096' },
        { group: 'Machine', name: 'CAP_SYS_RESOURCE', value: 'missing' },
        { group: 'Tiers', name: 'GPU', value: 'n1 offers 2 of 2 GPUs, tier mock' },
        {
          group: 'Tiers',
          name: 'what that proves',
          value: expect.stringContaining('nothing here proves CUDA') as string,
        },
      ]),
    )
    expect(facts.filter(({ group }) => group.startsWith('Adaptations')).map(({ name }) => name)).toContain(
      'restrict-oom-scores',
    )
    expect(JSON.stringify(facts)).not.toContain('busybox')
  })

  it('does not speak of adaptations of a cluster that somebody else made', async () => {
    const facts = await describeIt()
    expect(facts.filter(({ group }) => group.startsWith('Adaptations'))).toEqual([])
    expect(facts).toContainEqual({ group: 'Cluster', name: 'provider', value: 'not known' })
  })
})
