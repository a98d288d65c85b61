import { AuthorizationV1Api, CoreV1Api, KubeConfig, RbacAuthorizationV1Api } from '@kubernetes/client-node'
import { expect, inject, it } from 'vitest'
import { makeNamespace } from '../namespaced.ts'

const config = new KubeConfig()
config.loadFromString(inject('kubeconfig'))

it('a reader may list pods, and not read secrets', async () => {
  const namespace = 'reading'
  await using _ = await makeNamespace(config.makeApiClient(CoreV1Api), namespace)
  const rbac = config.makeApiClient(RbacAuthorizationV1Api)
  await rbac.createNamespacedRole({
    namespace,
    body: {
      metadata: { name: 'reader' },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }],
    },
  })
  await rbac.createNamespacedRoleBinding({
    namespace,
    body: {
      metadata: { name: 'reader' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace }],
    },
  })
  const reviews = config.makeApiClient(AuthorizationV1Api)
  const may = async (verb: string, resource: string): Promise<boolean | undefined> => {
    const { status } = await reviews.createSubjectAccessReview({
      body: {
        spec: {
          user: `system:serviceaccount:${namespace}:reader`,
          resourceAttributes: { namespace, verb, resource },
        },
      },
    })
    return status?.allowed
  }
  await expect.poll(() => may('list', 'pods'), { timeout: 30_000 }).toBe(true)
  expect(await may('get', 'secrets')).toBe(false)
})
