import type { ClusterSpec } from '../provider.ts'
import { apiPort } from './k3s-image.ts'

/** Pods and Services have the addresses that they have on kind, so that one set of manifests and proofs holds for both. */
const networks = ['--cluster-cidr=10.244.0.0/16', '--service-cidr=10.96.0.0/16']

/** Address of the cluster's DNS, the tenth of the Services'. An agent is not given the Services' addresses, and would take k3s's own. */
const clusterDns = '10.96.0.10'

/**
 * What k3s is told to leave to our add-ons: its network and its policies to Cilium, which also replaces kube-proxy, its ingress, load
 * balancer, storage and metrics to those that the proofs are about (docs/decisions, k3s).
 */
const leftToAddons = ['--disable-network-policy', '--disable=traefik,servicelb,local-storage,metrics-server']

/** For Cilium, which also replaces kube-proxy. */
const noNetwork = ['--flannel-backend=none', '--disable-kube-proxy']

/** Requests a second that the controllers may make, and no leader election, as on kind. */
const controllers = ['kube-api-qps=500', 'kube-api-burst=1000', 'leader-elect=false']

/**
 * Arguments of k3s and of the k3s-compatible image for the node at this index of a cluster; the first is the server, which agents find under the
 * name given. The token with which they join goes by the variable K3S_TOKEN, where no list of processes shows it.
 */
export function k3sArguments(
  spec: Pick<ClusterSpec, 'nodes' | 'network'>,
  index: number,
  server: string,
): string[] {
  if (index > 0)
    return [
      'agent',
      `--server=https://${server}:${String(apiPort)}`,
      `--kubelet-arg=cluster-dns=${clusterDns}`,
    ]
  return [
    'server',
    ...networks,
    ...leftToAddons,
    ...(spec.network === 'basic' ? [] : noNetwork),
    '--tls-san=127.0.0.1',
    '--node-label=ingress-ready=true',
    // With other nodes beside it a control plane takes no ordinary pods, as on kind.
    ...(spec.nodes > 1 ? ['--node-taint=node-role.kubernetes.io/control-plane=:NoSchedule'] : []),
    ...controllers.map((one) => `--kube-controller-manager-arg=${one}`),
  ]
}
