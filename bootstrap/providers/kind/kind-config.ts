import { stringify } from 'yaml'
import { effectsOf, type Adaptation } from '../../host/adaptations.ts'
import type { ClusterSpec } from '../provider.ts'

export interface KindConfigContext {
  /** Image of every node: the one derived for this cluster. */
  image: string
  adaptations: readonly Adaptation[]
  /** The image's entrypoint fits containerd to the host by itself (ours does, kind's does not). */
  imageAdaptsContainerd: boolean
  /** Folder of the image with patches for kubeadm's static pods; none for an image without. */
  patches?: string
}

/** Requests a second that controller-manager and scheduler may make; their defaults of 20 to 50 delay a fresh cluster by seconds. */
const apiLimits = { 'kube-api-qps': '500', 'kube-api-burst': '1000' }

/**
 * The configuration for `kind create cluster`, as YAML (kind.x-k8s.io/v1alpha4). No CNI and no kube-proxy, an ingress node, and settings
 * that suit a cluster of one control plane which nobody needs to survive a power cut.
 */
export function kindConfig(spec: ClusterSpec, context: KindConfigContext): string {
  const { image } = context
  const extraMounts = spec.extraMounts.map(({ hostPath, containerPath, readOnly }) => ({
    hostPath,
    containerPath,
    readOnly,
  }))
  const mounts = extraMounts.length === 0 ? {} : { extraMounts }
  const ingressPort = (containerPort: number, hostPort: number) => ({
    containerPort,
    hostPort,
    listenAddress: spec.listenAddress,
    protocol: 'TCP',
  })
  const containerdPatches = containerdConfigPatches(context)
  return stringify(
    {
      kind: 'Cluster',
      apiVersion: 'kind.x-k8s.io/v1alpha4',
      networking: { disableDefaultCNI: true, kubeProxyMode: 'none' },
      kubeadmConfigPatches: [
        ...kubeadmConfigPatches(context).map((patch) => stringify(patch)),
        ...spec.kubeadmPatches,
      ],
      ...(containerdPatches.length === 0 ? {} : { containerdConfigPatches: containerdPatches }),
      nodes: [
        {
          role: 'control-plane',
          image,
          labels: { 'ingress-ready': 'true' },
          extraPortMappings: [ingressPort(80, spec.httpPort), ingressPort(443, spec.httpsPort)],
          ...mounts,
        },
        ...Array.from({ length: spec.nodes - 1 }, () => ({ role: 'worker', image, ...mounts })),
      ],
    },
    { lineWidth: 0 },
  )
}

/** Without an apiVersion kind fits a patch to whatever version of kubeadm's configuration it writes. */
function kubeadmConfigPatches({ adaptations, patches }: KindConfigContext): object[] {
  return [
    {
      kind: 'ClusterConfiguration',
      controllerManager: { extraArgs: { 'leader-elect': 'false', ...apiLimits } },
      scheduler: { extraArgs: { 'leader-elect': 'false', ...apiLimits } },
      etcd: { local: { extraArgs: { 'unsafe-no-fsync': 'true' } } },
    },
    ...(patches === undefined ? [] : [{ kind: 'InitConfiguration', patches: { directory: patches } }]),
    // Keys are made in a tenth of a second instead of several.
    { apiVersion: 'kubeadm.k8s.io/v1beta4', kind: 'ClusterConfiguration', encryptionAlgorithm: 'ECDSA-P256' },
    {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      serializeImagePulls: false,
      ...effectsOf(adaptations, 'kubelet')[0]?.fields,
    },
  ]
}

function containerdConfigPatches({ adaptations, imageAdaptsContainerd }: KindConfigContext): string[] {
  if (imageAdaptsContainerd || effectsOf(adaptations, 'restrict-oom-scores').length === 0) return []
  return ['[plugins."io.containerd.cri.v1.runtime"]\n  restrict_oom_score_adj = true\n']
}
