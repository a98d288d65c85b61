import type { ApiCaller } from './api-caller.ts'
import { CheckBroke } from './verdict.ts'

/** A ServiceAccount, as `NAMESPACE/NAME` names it. */
export interface Account {
  namespace: string
  name: string
}

/** Seconds that a token lives; longer than any suite that asks with one. */
const lifetimeSeconds = 3_600

/** The name under which the API server knows an account. */
export const userOf = ({ namespace, name }: Account): string => `system:serviceaccount:${namespace}:${name}`

/** The groups that every account of a namespace is in. */
export const groupsOf = ({ namespace }: Account): string[] => [
  'system:serviceaccounts',
  `system:serviceaccounts:${namespace}`,
  'system:authenticated',
]

/** A real token of an account, as the API server gives it to the kubelet for a pod. @throws CheckBroke when it gives none */
export async function requestToken(admin: ApiCaller, account: Account, signal: AbortSignal): Promise<string> {
  const { namespace, name } = account
  const { status, body, message } = await admin.call({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: lifetimeSeconds },
    },
    signal,
  })
  if (status !== 201) {
    throw new CheckBroke(`There is no token for ${namespace}/${name}: HTTP ${String(status)} ${message}`)
  }
  return (JSON.parse(body) as { status: { token: string } }).status.token
}

/**
 * Who the API server takes the caller for: `system:serviceaccount:slate:slate-core`.
 * @throws CheckBroke when it does not accept the caller's credentials
 */
export async function whoAmI(caller: ApiCaller, signal: AbortSignal): Promise<string> {
  const { status, body, message } = await caller.call({
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    signal,
  })
  if (status !== 201)
    throw new CheckBroke(`The token is not accepted any more: HTTP ${String(status)} ${message}`)
  return (JSON.parse(body) as { status: { userInfo: { username: string } } }).status.userInfo.username
}
