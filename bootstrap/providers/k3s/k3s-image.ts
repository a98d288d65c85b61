import type { ImageInfo } from '../../engine/engine.ts'

/** Whether the nodes run k3s itself, or upstream's Kubernetes behind k3s's container contract, which is never called k3s. */
export type K3sFlavour = 'k3s' | 'k3s-compatible'

/** What a node image is, by the label that images of ours carry. */
export const flavourOf = ({ labels }: Pick<ImageInfo, 'labels'>): K3sFlavour =>
  labels['io.local-cloud.source'] === 'packages' ? 'k3s-compatible' : 'k3s'

/** The program that a node's container starts. */
export const programOf: Readonly<Record<K3sFlavour, string>> = {
  k3s: '/bin/k3s',
  'k3s-compatible': '/usr/local/bin/k3s-compatible',
}

/** Where a k3s-compatible node has its own cgroup of the v2 hierarchy, whatever it sees of the host's. */
export const ownCgroupV2 = '/run/local-cloud/cgroup2'

/** Where k3s writes the administrator's kubeconfig, and where its API server listens. */
export const kubeconfigInNode = '/etc/rancher/k3s/k3s.yaml'
export const apiPort = 6443

/** Ports of the first node that the ingress controller takes. */
export const ingressPorts = { http: 80, https: 443 }

/** Where k3s keeps its state; a volume, since containerd's overlays cannot lie on the container's own. */
export const stateVolume = '/var/lib/rancher/k3s'

/** Lines that make a k3s-compatible image of the node image that kind uses: its layers are shared, only the start differs. */
export const compatibleLines: readonly string[] = [
  `ENTRYPOINT ["${programOf['k3s-compatible']}"]`,
  'CMD ["server"]',
  'STOPSIGNAL SIGTERM',
  `VOLUME ["${stateVolume}"]`,
]
