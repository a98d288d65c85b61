import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { Adaptation } from '../../host/adaptations.ts'
import type { ClusterSpec } from '../provider.ts'
import { controlPlanePatches, patchesFolder } from './control-plane-patches.ts'
import { kindConfig, type KindConfigContext } from './kind-config.ts'

const spec: ClusterSpec = {
  name: 'c',
  nodes: 1,
  nodeImage: 'localhost/node:1',
  httpPort: 8080,
  httpsPort: 8443,
  listenAddress: '127.0.0.1',
  kubeadmPatches: [],
  extraMounts: [],
}
const limited: Adaptation[] = [
  {
    id: 'k',
    message: '',
    effect: { kind: 'kubelet', fields: { failCgroupV1: false, cgroupDriver: 'cgroupfs' } },
  },
  { id: 'o', message: '', effect: { kind: 'restrict-oom-scores' } },
]
interface Config {
  networking: object
  kubeadmConfigPatches: string[]
  containerdConfigPatches?: string[]
  nodes: Record<string, unknown>[]
}

const config = (changes: Partial<ClusterSpec> = {}, context: Partial<KindConfigContext> = {}): Config =>
  parse(
    kindConfig(
      { ...spec, ...changes },
      { image: 'derived:c', adaptations: [], imageAdaptsContainerd: false, ...context },
    ),
  ) as Config
const patches = (of: Config) =>
  of.kubeadmConfigPatches.map((patch) => parse(patch) as Record<string, unknown>)

describe('patches of the control plane', () => {
  it('give controller-manager and scheduler less than kubeadm does, in the files that it looks for', () => {
    const read = Object.fromEntries(
      Object.entries(controlPlanePatches()).map(([file, text]) => [file, parse(text) as unknown]),
    )
    const asking = (name: string, cpu: string) => ({
      spec: { containers: [{ name, resources: { requests: { cpu } } }] },
    })
    expect(read).toEqual({
      'kube-controller-manager+strategic.yaml': asking('kube-controller-manager', '50m'),
      'kube-scheduler+strategic.yaml': asking('kube-scheduler', '25m'),
    })
  })
})

describe('kind configuration', () => {
  it('is one ingress node without CNI and kube-proxy', () => {
    expect(config()).toMatchObject({
      kind: 'Cluster',
      apiVersion: 'kind.x-k8s.io/v1alpha4',
      networking: { disableDefaultCNI: true, kubeProxyMode: 'none' },
      nodes: [
        {
          role: 'control-plane',
          image: 'derived:c',
          labels: { 'ingress-ready': 'true' },
          extraPortMappings: [
            { containerPort: 80, hostPort: 8080, listenAddress: '127.0.0.1', protocol: 'TCP' },
            { containerPort: 443, hostPort: 8443, listenAddress: '127.0.0.1', protocol: 'TCP' },
          ],
        },
      ],
    })
  })

  it('has workers, and the mounts in every node', () => {
    const mount = { hostPath: '/data', containerPath: '/mnt/data', readOnly: true }
    const { nodes } = config({ nodes: 3, extraMounts: [mount] })
    expect(nodes.map((node) => node['role'])).toEqual(['control-plane', 'worker', 'worker'])
    expect(nodes.map((node) => node['extraMounts'])).toEqual([[mount], [mount], [mount]])
    expect(nodes.slice(1).every((node) => node['extraPortMappings'] === undefined)).toBe(true)
  })

  it('makes a single control plane quick', () => {
    const [cluster, keys, kubelet] = patches(config())
    const leaderless = {
      extraArgs: { 'leader-elect': 'false', 'kube-api-qps': '500', 'kube-api-burst': '1000' },
    }
    expect(cluster).toEqual({
      kind: 'ClusterConfiguration',
      controllerManager: leaderless,
      scheduler: leaderless,
      etcd: { local: { extraArgs: { 'unsafe-no-fsync': 'true' } } },
    })
    expect(keys).toMatchObject({ encryptionAlgorithm: 'ECDSA-P256' })
    expect(kubelet).toEqual({
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      serializeImagePulls: false,
    })
  })

  it('tells kubeadm where the image has patches, if it has some', () => {
    const init = { kind: 'InitConfiguration', patches: { directory: patchesFolder } }
    expect(patches(config({}, { patches: patchesFolder }))).toContainEqual(init)
    expect(patches(config()).map(({ kind }) => kind)).not.toContain('InitConfiguration')
  })

  it('lets kubelets accept cgroup v1 where the host has it', () => {
    expect(patches(config({}, { adaptations: limited }))[2]).toMatchObject({
      failCgroupV1: false,
      cgroupDriver: 'cgroupfs',
    })
  })

  it('tells containerd about OOM scores unless the image finds out by itself', () => {
    expect(config().containerdConfigPatches).toBeUndefined()
    expect(config({}, { adaptations: limited }).containerdConfigPatches?.[0]).toContain(
      'restrict_oom_score_adj = true',
    )
    expect(
      config({}, { adaptations: limited, imageAdaptsContainerd: true }).containerdConfigPatches,
    ).toBeUndefined()
  })

  it('puts the user’s patches last, so that they win', () => {
    const patch = 'kind: KubeletConfiguration\nmaxPods: 200\n'
    expect(config({ kubeadmPatches: [patch] }).kubeadmConfigPatches.at(-1)).toBe(patch)
  })
})
