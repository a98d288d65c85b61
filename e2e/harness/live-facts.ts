import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { violationsOf } from '../../manifests/checks/violations.ts'
import type { Fact, Violation } from '../../manifests/checks/fact.ts'
import type { Cluster } from './cluster.ts'
import { CheckBroke, ExpectationFailed } from './verdict.ts'

/** The kinds whose facts are looked up on the cluster, with what Kubernetes leaves out of them where it is the default. */
const kinds: Record<string, { apiVersion: string; namespaced: boolean; defaults?: Record<string, unknown> }> =
  {
    ClusterRole: { apiVersion: 'rbac.authorization.k8s.io/v1', namespaced: false, defaults: { rules: [] } },
    ConfigMap: { apiVersion: 'v1', namespaced: true },
    CronJob: { apiVersion: 'batch/v1', namespaced: true },
    Deployment: { apiVersion: 'apps/v1', namespaced: true },
    Ingress: { apiVersion: 'networking.k8s.io/v1', namespaced: true },
    LimitRange: { apiVersion: 'v1', namespaced: true },
    Namespace: { apiVersion: 'v1', namespaced: false },
    PodDisruptionBudget: { apiVersion: 'policy/v1', namespaced: true },
    PriorityClass: {
      apiVersion: 'scheduling.k8s.io/v1',
      namespaced: false,
      defaults: { globalDefault: false },
    },
    ResourceQuota: { apiVersion: 'v1', namespaced: true },
    Role: { apiVersion: 'rbac.authorization.k8s.io/v1', namespaced: true },
    RoleBinding: { apiVersion: 'rbac.authorization.k8s.io/v1', namespaced: true },
    Service: { apiVersion: 'v1', namespaced: true },
  }

/**
 * Asserts that the cluster's own objects hold these facts of the contract; a missing object holds none. Facts about kinds that are gone after an
 * hour (the preload Job, A36) have no place here.
 * @throws ExpectationFailed with what was seen in place of every fact that does not hold; CheckBroke when there is no fact, or one about a kind that
 * is not known here
 */
export async function expectLiveFacts(
  { kube }: Pick<Cluster, 'kube'>,
  namespace: string,
  facts: readonly Fact[],
  signal: AbortSignal,
): Promise<void> {
  if (facts.length === 0) throw new CheckBroke('There is no fact to look up.')
  const objects = await Promise.all(
    [...new Set(facts.map(({ object }) => object))].map(async (id): Promise<KubeObject[]> => {
      const [kind = '', name = ''] = id.split('/')
      const known = kinds[kind]
      if (!known) throw new CheckBroke(`Nobody knows where to look up ${id}.`)
      const { apiVersion, namespaced, defaults } = known
      const ref = { apiVersion, kind, name, ...(namespaced ? { namespace } : {}) }
      const found = await kube.get(ref, signal)
      return found ? [{ ...defaults, ...found, ...nullsOut(found, defaults) }] : []
    }),
  )
  const violations = violationsOf(facts, objects.flat())
  if (violations.length > 0) throw new ExpectationFailed(violations.map(describeViolation).join('\n'))
}

/** Defaults for fields that are there and null. */
const nullsOut = (object: KubeObject, defaults: Record<string, unknown> = {}): Record<string, unknown> =>
  Object.fromEntries(Object.entries(defaults).filter(([key]) => object[key] === null))

/** A violation in a line: `Role/a: role rules (000 RBAC) is {…}, not {…}`. */
export const describeViolation = ({ object, fact, section, expected, seen }: Violation): string =>
  `${object}: ${fact} (${section}) is ${JSON.stringify(seen)}, not ${JSON.stringify(expected)}`

/** The facts of these kinds of statement, about objects that `about` accepts. */
export const factsCalled = (
  facts: readonly Fact[],
  names: readonly string[],
  about: (object: string) => boolean = () => true,
): Fact[] => facts.filter(({ fact, object }) => names.includes(fact) && about(object))
