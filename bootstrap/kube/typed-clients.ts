import type { ApiConstructor, ApiType } from '@kubernetes/client-node'

/** Makes a typed client of the Kubernetes client library: `api(CoreV1Api)`. */
export type TypedClients = <T extends ApiType>(type: ApiConstructor<T>) => T

const library = () => import('@kubernetes/client-node')

/** Begins to load the library, half a second of this thread, for a caller who will need it. */
export function loadTypedClients(): void {
  library().catch(() => undefined)
}

/** Typed clients for the current context of a kubeconfig text; nothing is sent. @throws Error when the text is no kubeconfig */
export async function typedClients(kubeconfig: string): Promise<TypedClients> {
  const { KubeConfig } = await library()
  const config = new KubeConfig()
  config.loadFromString(kubeconfig)
  return (type) => config.makeApiClient(type)
}
