import { inParallel } from '../../bootstrap/kube/in-parallel.ts'
import type { ApiCaller } from './api-caller.ts'
import type { Rights } from './granted-rules.ts'
import { groupsOf, userOf, type Account } from './service-account-token.ts'
import { CheckBroke } from './verdict.ts'

/** One thing that somebody may be allowed to do. The core group and no subresource are empty. */
export interface Right {
  verb: string
  group: string
  resource: string
  subresource: string
}

/** As the rights of granted-rules.ts are called: `get pods/log`, `create batch/jobs`. */
export const rightName = ({ verb, group, resource, subresource }: Right): string =>
  `${verb} ${[group, resource, subresource].filter((part) => part !== '').join('/')}`

/**
 * Verbs that no resource lists among its own, since they are asked for beside another request
 * (https://kubernetes.io/docs/reference/access-authn-authz/authorization/#request-verbs).
 */
const hiddenRights: readonly Right[] = [
  ...['users', 'groups', 'serviceaccounts'].map((resource) => right('impersonate', '', resource)),
  ...['bind', 'escalate'].flatMap((verb) =>
    ['roles', 'clusterroles'].map((resource) => right(verb, 'rbac.authorization.k8s.io', resource)),
  ),
  ...['approve', 'sign'].map((verb) => right(verb, 'certificates.k8s.io', 'signers')),
]

function right(verb: string, group: string, resource: string, subresource = ''): Right {
  return { verb, group, resource, subresource }
}

/** As in bootstrap/kube/discovery.ts, but with the subresources. */
const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

interface ServedResource {
  resource: string
  verbs?: string[]
  subresources?: { subresource: string; verbs?: string[] }[]
}

interface Discovery {
  items?: { metadata: { name?: string }; versions?: { resources?: ServedResource[] }[] }[]
}

/** Every verb on every resource and subresource that the server serves, and the verbs that it does not tell of. Sorted. */
export async function everyRight(admin: ApiCaller, signal: AbortSignal): Promise<Right[]> {
  const documents = await Promise.all(
    ['/api', '/apis'].map(async (path) => {
      const { status, body, message } = await admin.call({ method: 'GET', path, accept: aggregated, signal })
      if (status !== 200)
        throw new CheckBroke(`Nobody knows what is served: HTTP ${String(status)} ${message}`)
      return JSON.parse(body) as Discovery
    }),
  )
  return rightsServed(documents)
}

/** The same, from the documents of discovery. */
export function rightsServed(documents: readonly Discovery[]): Right[] {
  const served = documents.flatMap(({ items = [] }) =>
    items.flatMap(({ metadata, versions = [] }) =>
      versions.flatMap(({ resources = [] }) =>
        resources.flatMap((one) => rightsOn(metadata.name ?? '', one)),
      ),
    ),
  )
  const unique = new Map([...served, ...hiddenRights].map((one) => [rightName(one), one]))
  return [...unique.entries()].sort(([a], [b]) => a.localeCompare(b)).map(([, one]) => one)
}

function rightsOn(group: string, { resource, verbs = [], subresources = [] }: ServedResource): Right[] {
  return [
    ...verbs.map((verb) => right(verb, group, resource)),
    ...subresources.flatMap((one) =>
      (one.verbs ?? []).map((verb) => right(verb, group, resource, one.subresource)),
    ),
  ]
}

/**
 * The rights and, beside them, those that a table grants on a resource that is served with a verb that is not: `list pods/log` can be granted,
 * but not be used.
 */
export function withStated(rights: readonly Right[], stated: Rights): Right[] {
  const known = new Set(rights.map(rightName))
  const more = [...stated].flatMap((name): Right[] => {
    const [verb = '', resource = ''] = name.split(' ')
    const same = rights.find((one) => rightName({ ...one, verb: '' }).trim() === resource)
    return same === undefined || known.has(name) ? [] : [{ ...same, verb }]
  })
  return [...rights, ...more]
}

/** Reviews at a time; each takes the server about a millisecond. */
const atATime = 8

/**
 * Which of the rights the API server's authorizers, all of them, give an account (SubjectAccessReview), in a namespace or, without one, in
 * the whole cluster.
 * @throws CheckBroke when a review does not tell
 */
export async function decide(
  admin: ApiCaller,
  account: Account,
  where: { namespace?: string },
  rights: readonly Right[],
  signal: AbortSignal,
): Promise<Rights> {
  const allowed = await inParallel(rights, atATime, signal, async (asked, stop) => {
    const { status, body, message } = await admin.call({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        spec: {
          user: userOf(account),
          groups: groupsOf(account),
          resourceAttributes: { ...where, ...asked },
        },
      },
      signal: stop,
    })
    if (status !== 201) {
      throw new CheckBroke(`Nobody decides ${rightName(asked)}: HTTP ${String(status)} ${message}`)
    }
    const decision = (JSON.parse(body) as { status: { allowed: boolean; evaluationError?: string } }).status
    return decision.allowed
  })
  return new Set(rights.filter((_, index) => allowed[index] === true).map(rightName))
}
