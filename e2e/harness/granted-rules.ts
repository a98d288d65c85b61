import type { Contract } from '../../manifests/slate/contract.ts'
import type { ApiCaller } from './api-caller.ts'
import { CheckBroke } from './verdict.ts'

/** Rights as sentences such as `get pods/log` or `create batch/jobs`; a right for single objects names them behind. */
export type Rights = ReadonlySet<string>

interface Rules {
  resourceRules?: { verbs: string[]; apiGroups?: string[]; resources?: string[]; resourceNames?: string[] }[]
  nonResourceRules?: { verbs: string[]; nonResourceURLs?: string[] }[]
}

/**
 * The rights that rules grant. A `*` stays what it is: it equals no right that a table spells out, so that nothing it grants can pass
 * unseen.
 */
export function rightsOf({ resourceRules = [], nonResourceRules = [] }: Rules): Rights {
  const right = (verb: string, group: string, resource: string, only: string[]): string =>
    `${verb} ${group === '' ? '' : `${group}/`}${resource}${only.length === 0 ? '' : ` named ${only.join(', ')}`}`
  return new Set([
    ...resourceRules.flatMap(({ verbs, apiGroups = [], resources = [], resourceNames = [] }) =>
      verbs.flatMap((verb) =>
        apiGroups.flatMap((group) =>
          resources.map((resource) => right(verb, group, resource, resourceNames)),
        ),
      ),
    ),
    ...nonResourceRules.flatMap(({ verbs, nonResourceURLs = [] }) =>
      verbs.flatMap((verb) => nonResourceURLs.map((url) => `${verb} ${url}`)),
    ),
  ])
}

/** What the specification grants an account: the table of every role that is bound to it. */
export const statedRights = (roles: Contract['roles'], account: string): Rights =>
  new Set(
    roles
      .filter(({ serviceAccount }) => serviceAccount === account)
      .flatMap(({ verbs }) =>
        Object.entries(verbs).flatMap(([resource, list]) => list.map((verb) => `${verb} ${resource}`)),
      ),
  )

export const without = (rights: Rights, others: Rights): Rights =>
  new Set([...rights].filter((right) => !others.has(right)))

/** What the first set has too little and too much of, measured by the second; both empty when they are equal. */
export const compareRights = (seen: Rights, stated: Rights): { missing: string[]; extra: string[] } => ({
  missing: [...without(stated, seen)].sort(),
  extra: [...without(seen, stated)].sort(),
})

/**
 * All rights that RBAC grants the caller in a namespace, those for the whole cluster with them, as the API server lists them
 * (SelfSubjectRulesReview).
 * @throws CheckBroke when it does not list them
 */
export async function reviewRules(
  caller: ApiCaller,
  namespace: string,
  signal: AbortSignal,
): Promise<Rights> {
  const { status, body, message } = await caller.call({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } },
    signal,
  })
  if (status !== 201) {
    throw new CheckBroke(
      `The rules of an account in ${namespace} are not told: HTTP ${String(status)} ${message}`,
    )
  }
  return rightsOf((JSON.parse(body) as { status: Rules }).status)
}
