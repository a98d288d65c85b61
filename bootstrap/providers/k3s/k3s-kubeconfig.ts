import { parse, stringify } from 'yaml'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'

interface Kubeconfig {
  apiVersion?: string
  kind?: string
  clusters?: { name: string; cluster: { server: string } & Record<string, unknown> }[]
  users?: { name: string; user: unknown }[]
}

/**
 * The kubeconfig that k3s wrote inside its container, as it is used from this machine: that server, and every name in it `k3s-<cluster>`,
 * so that it can stand beside others.
 * @throws LocalCloudError COMMAND_FAILED when the text is no kubeconfig (k3s is still writing it)
 */
export function k3sKubeconfig(text: string, cluster: string, server: string): string {
  const { clusters, users } = (parse(text) ?? {}) as Kubeconfig
  const [found, user] = [clusters?.[0]?.cluster, users?.[0]?.user]
  if (found === undefined || user === undefined) {
    throw new LocalCloudError('COMMAND_FAILED', {
      message: `The kubeconfig in the node of ${cluster} is not complete yet.`,
    })
  }
  const name = `k3s-${cluster}`
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { ...found, server } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  })
}
