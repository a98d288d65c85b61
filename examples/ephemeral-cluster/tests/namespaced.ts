import type { CoreV1Api, V1Pod } from '@kubernetes/client-node'
import { vi } from 'vitest'

/** Makes a namespace in which pods can be created; leaving its scope removes it. */
export async function makeNamespace(core: CoreV1Api, name: string): Promise<AsyncDisposable> {
  await core.createNamespace({ body: { metadata: { name } } })
  const account = { namespace: name, name: 'default' }
  await vi.waitFor(() => core.readNamespacedServiceAccount(account), { timeout: 30_000 })
  return {
    async [Symbol.asyncDispose]() {
      await core.deleteNamespace({ name })
    },
  }
}

/** A pod that is admitted or not, and never run. */
export const pod = (name: string, cpu = '100m'): V1Pod => ({
  metadata: { name },
  spec: {
    schedulerName: 'nobody',
    containers: [
      { name: 'main', image: 'example.invalid/none', resources: { requests: { cpu }, limits: { cpu } } },
    ],
  },
})
