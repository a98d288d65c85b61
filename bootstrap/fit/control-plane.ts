import type { Amounts } from './pod-requests.ts'

/**
 * Thousandths of a CPU that controller-manager and scheduler ask for in a kind cluster of ours. kubeadm's 200 and 100 are more than they ever
 * use here, and with them two cores do not hold SLATE at its quota of pods: it or others would be displaced whenever schedules and autoscalers
 * coincide.
 */
export const quietRequests = { 'kube-controller-manager': 50, 'kube-scheduler': 25 } as const

/**
 * What the static pods of the control plane ask for: those two, and as kubeadm has them the apiserver with 250m and etcd with 100m and 100Mi
 * (kubernetes/cmd/kubeadm/app/phases/controlplane/manifests.go, …/phases/etcd/local.go).
 */
export const controlPlaneRequests: Amounts = {
  cpu: (250 + 100 + quietRequests['kube-controller-manager'] + quietRequests['kube-scheduler']) / 1000,
  memory: 100 * 2 ** 20,
}
