import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { inParallel } from '../../bootstrap/kube/in-parallel.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { accessFacts } from '../../manifests/slate/facts/access.ts'
import { deploymentFacts } from '../../manifests/slate/facts/deployments.ts'
import { jobFacts } from '../../manifests/slate/facts/jobs.ts'
import { at, listAt, textAt } from '../../manifests/checks/manifest.ts'
import { decide, everyRight, withStated, type Right } from '../harness/access-matrix.ts'
import { accessSamples } from '../harness/access-samples.ts'
import { adminCaller, tokenCaller, type ApiCaller } from '../harness/api-caller.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { execInComponent, readyPodOf } from '../harness/component-exec.ts'
import { compareRights, reviewRules, statedRights, without, type Rights } from '../harness/granted-rules.ts'
import { judgeAccess } from '../harness/judge-access.ts'
import { expectLiveFacts, factsCalled } from '../harness/live-facts.ts'
import { createNamespace } from '../harness/namespace.ts'
import { recordOf } from '../harness/record.ts'
import { runLabel } from '../harness/run-id.ts'
import { requestToken, userOf, whoAmI, type Account } from '../harness/service-account-token.ts'
import { requireSlate } from '../harness/slate.ts'
import { CheckBroke } from '../harness/verdict.ts'

/*
 * Who may do what: the rights of every account of the namespace, as the API server lists them, as it decides them one by one, and as it answers
 * real requests with a real token. What an account without any binding may do is measured and is no grant of SLATE's.
 */
const contract = readContract()
const namespace = contract.namespace.name
const accounts = [...contract.serviceAccounts.names, 'default']
const nothing = { missing: [], extra: [] }

let cluster: Cluster
let admin: ApiCaller
/** An account that no binding names, in a namespace of its own. */
let nobody: Account & { caller: ApiCaller }
const callers = new Map<string, ApiCaller>()
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  const signal = AbortSignal.timeout(60_000)
  cluster = await attach(choiceFromEnvironment(), signal)
  requireSlate(cluster)
  const { kube, runId } = cluster
  admin = stack.use(await adminCaller(cluster))
  const space = stack.use(await createNamespace({ kube, runId, purpose: 'access', signal }))
  const account = { namespace: space.name, name: 'nobody' }
  await kube.apply([{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account }], {
    signal,
    dryRun: 'skip',
  })
  const callerOf = async (one: Account): Promise<ApiCaller> =>
    stack.use(await tokenCaller(cluster, await requestToken(admin, one, signal)))
  nobody = { ...account, caller: await callerOf(account) }
  for (const name of accounts) callers.set(name, await callerOf({ namespace, name }))
})
afterAll(() => stack.disposeAsync())

function callerOf(account: string): ApiCaller {
  const caller = callers.get(account)
  if (!caller) throw new CheckBroke(`There is no caller for the account ${account}.`)
  return caller
}

describe('granted rights', () => {
  it('an account without any binding may only ask about itself and about the API', async ({
    task,
    signal,
  }) => {
    const rights = await reviewRules(nobody.caller, nobody.namespace, signal)
    recordOf(task.meta).facts.push({ name: 'what everybody may', value: [...rights].sort().join(', ') })
    const others = [...rights].filter(
      (right) =>
        !/^create (?:authorization|authentication)\.k8s\.io\/selfsubject[a-z]+$/.test(right) &&
        !/^get \/[a-z0-9/*.-]+$/.test(right),
    )
    expect(others).toEqual([])
    expect(rights.size).toBeGreaterThan(0)
  })

  it.for(accounts)('%s has in its namespace exactly the rules of the table', async (account, { signal }) => {
    const seen = await rulesBeyondEverybody(account, namespace, signal)
    expect(compareRights(seen, statedRights(contract.roles, account))).toEqual(nothing)
  })

  it.for(accounts)('%s has no rule in any other namespace', async (account, { signal }) => {
    const all = await cluster.kube.list({ apiVersion: 'v1', kind: 'Namespace' }, signal)
    const others = all.map(({ metadata }) => metadata.name).filter((name) => name !== namespace)
    expect(others).toEqual(expect.arrayContaining(['default', 'kube-system']))
    const found = await inParallel(others, 4, signal, async (other, stop) =>
      [...(await rulesBeyondEverybody(account, other, stop))].map((right) => `${other}: ${right}`),
    )
    expect(found.flat()).toEqual([])
  })

  describe('decided one by one', () => {
    let rights: Right[]
    let everybody: { inside: Rights; cluster: Rights }
    beforeAll(async () => {
      const signal = AbortSignal.timeout(180_000)
      const stated = accounts.flatMap((account) => [...statedRights(contract.roles, account)])
      rights = withStated(await everyRight(admin, signal), new Set(stated))
      everybody = {
        inside: await decide(admin, nobody, { namespace }, rights, signal),
        cluster: await decide(admin, nobody, {}, rights, signal),
      }
    })

    it.for(accounts)(
      '%s gets exactly the rights of the table among all that are served',
      async (name, { signal }) => {
        const seen = await decide(admin, { namespace, name }, { namespace }, rights, signal)
        expect(rights.length).toBeGreaterThan(500)
        expect(compareRights(without(seen, everybody.inside), statedRights(contract.roles, name))).toEqual(
          nothing,
        )
      },
    )

    it.for(accounts)('%s gets none of them for the whole cluster', async (name, { signal }) => {
      const seen = await decide(admin, { namespace, name }, {}, rights, signal)
      expect([...without(seen, everybody.cluster)]).toEqual([])
    })
  })
})

const listed = (outcomes: { title: string }[]): string => outcomes.map(({ title }) => title).join(', ')

async function rulesBeyondEverybody(account: string, place: string, signal: AbortSignal): Promise<Rights> {
  const [own, everybody] = await Promise.all([
    reviewRules(callerOf(account), place, signal),
    reviewRules(nobody.caller, nobody.namespace, signal),
  ])
  return without(own, everybody)
}

describe('real tokens', () => {
  /** A ConfigMap and a Secret without content, for requests that need an object. */
  const own = `e2e-access-${randomBytes(3).toString('hex')}`
  let pod: string
  beforeAll(async () => {
    const signal = AbortSignal.timeout(30_000)
    const { kube, runId } = cluster
    const targets = ['ConfigMap', 'Secret'].map((kind): KubeObject => ({
      apiVersion: 'v1',
      kind,
      metadata: { name: own, namespace, labels: { [runLabel]: runId } },
    }))
    for (const { apiVersion, kind } of targets) {
      stack.defer(() =>
        kube.delete({ apiVersion, kind, name: own, namespace }, { signal: AbortSignal.timeout(10_000) }),
      )
    }
    await kube.apply(targets, { signal, dryRun: 'skip' })
    pod = (await readyPodOf(kube, { namespace, component: 'ollama' }, signal)).metadata.name
  })

  it.for(accounts)(
    '%s is answered what the table grants, and HTTP 403 for all else',
    async (account, { task, signal }) => {
      const caller = callerOf(account)
      const user = userOf({ namespace, name: account })
      expect(await whoAmI(caller, signal)).toBe(user)
      const owner = await whoAmI(admin, signal)
      const stated = statedRights(contract.roles, account)
      const samples = accessSamples({
        namespace,
        elsewhere: 'kube-system',
        pod,
        own,
        deployment: 'slate-dashboard',
        account: 'slate-core',
      })
      const outcomes = await inParallel(
        samples,
        6,
        signal,
        async ({ title, right, within, request }, stop) => {
          const control = judgeAccess(await admin.call({ ...request, signal: stop }), owner)
          if (!control.allowed)
            throw new CheckBroke(`Not even the cluster's owner may ${title}: ${control.seen}`)
          const { allowed, seen } = judgeAccess(await caller.call({ ...request, signal: stop }), user)
          return { title, expected: within && stated.has(right), allowed, seen, control: control.seen }
        },
      )
      const after = await whoAmI(caller, signal)
      const denied = outcomes.filter(({ allowed }) => !allowed)
      const granted = outcomes.filter(({ allowed }) => allowed)
      const record = recordOf(task.meta)
      record.facts.push({ name: 'answered', value: listed(granted) })
      record.controls.push({
        negative: { title: 'not granted', seen: `HTTP 403 each: ${listed(denied)}` },
        before: {
          title: 'the same requests by the owner of the cluster',
          seen: [...new Set(denied.map(({ control }) => control))].join(', '),
        },
        after: { title: 'whose token it still is', seen: after },
      })
      const wrong = outcomes.filter(({ expected, allowed }) => expected !== allowed)
      expect(
        wrong.map(({ title, seen, expected }) => `${title}: ${seen}, stated: ${String(expected)}`),
      ).toEqual([])
    },
  )

  it('a token that does not count is an error of the check and no denial', async ({ task, signal }) => {
    using dead = await tokenCaller(cluster, 'e2e.not.a-token')
    const answer = await dead.call({ method: 'GET', path: `/api/v1/namespaces/${namespace}/pods`, signal })
    expect(answer.status).toBe(401)
    expect(() => judgeAccess(answer, userOf({ namespace, name: 'default' }))).toThrow(CheckBroke)
    recordOf(task.meta).facts.push({
      name: 'a token that does not count',
      value: `HTTP ${String(answer.status)}`,
    })
  })
})

describe('roles and bindings', () => {
  it.for(accessFacts(contract))('$object: $fact', async (fact, { signal }) => {
    await expectLiveFacts(cluster, namespace, [fact], signal)
  })

  it('the namespace has no role and no binding beside those of the table', async ({ signal }) => {
    const named = async (kind: string): Promise<string[]> =>
      (await cluster.kube.list({ apiVersion: 'rbac.authorization.k8s.io/v1', kind, namespace }, signal))
        .map(({ metadata }) => metadata.name)
        .sort()
    expect({ roles: await named('Role'), bindings: await named('RoleBinding') }).toEqual({
      roles: contract.roles.map(({ name }) => name).sort(),
      bindings: contract.roles.map(({ binding }) => binding).sort(),
    })
  })

  it('no other binding of the cluster names an account of the namespace, and none the empty role', async ({
    task,
    signal,
  }) => {
    const list = (kind: string) =>
      cluster.kube.list({ apiVersion: 'rbac.authorization.k8s.io/v1', kind }, signal)
    const bindings = [...(await list('RoleBinding')), ...(await list('ClusterRoleBinding'))]
    const whereOf = ({ kind, metadata }: KubeObject): string =>
      `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`
    const reaching = bindings.filter((binding) =>
      listAt(binding, 'subjects').some(
        (subject) =>
          (textAt(subject, 'kind') === 'ServiceAccount' && textAt(subject, 'namespace') === namespace) ||
          textAt(subject, 'name') === `system:serviceaccounts:${namespace}` ||
          textAt(subject, 'name').startsWith(`system:serviceaccount:${namespace}:`),
      ),
    )
    // The same look finds the bindings that must be there, so that it would find others.
    expect(reaching.map(whereOf).sort()).toEqual(
      contract.roles.map(({ binding }) => `RoleBinding ${namespace}/${binding}`).sort(),
    )
    const ofRole = bindings.filter((one) => textAt(one, 'roleRef', 'name') === contract.emptyClusterRole.name)
    expect(ofRole.map(whereOf)).toEqual([])
    recordOf(task.meta).facts.push({ name: 'bindings looked through', value: String(bindings.length) })
  })
})

describe('pods', () => {
  const workloads = [...deploymentFacts(contract, 'local', []), ...jobFacts(contract, 'local', [])]
  const lasting = (object: string): boolean => !object.startsWith('Job/')

  it.for(['service account', 'token of the service account'])(
    'every workload has the %s of the table',
    async (name, { signal }) => {
      const facts = factsCalled(workloads, [name], lasting)
      await expectLiveFacts(cluster, namespace, facts, signal)
    },
  )

  it('every pod runs under the account of the table', async ({ task, signal }) => {
    const stated = new Map([
      ...contract.deployments.map(({ component, serviceAccount }) => [component, serviceAccount] as const),
      ...contract.cronJobs.map(({ job, serviceAccount }) => [job, serviceAccount] as const),
      [contract.preload.component, contract.preload.serviceAccount] as const,
    ])
    const labelSelector = `app.kubernetes.io/part-of=${contract.podLabels.partOf},!${runLabel}`
    const pods = (
      await cluster.kube.list({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector }, signal)
    ).filter(({ metadata }) => stated.has(metadata.labels?.['app.kubernetes.io/component'] ?? ''))
    expect(pods.length).toBeGreaterThanOrEqual(contract.deployments.length)
    const wrong = pods.flatMap((pod) => {
      const seen = at(pod, 'spec', 'serviceAccountName')
      const expected = stated.get(pod.metadata.labels?.['app.kubernetes.io/component'] ?? '')
      return seen === expected ? [] : [`${pod.metadata.name}: ${String(seen)}, not ${String(expected)}`]
    })
    expect(wrong).toEqual([])
    recordOf(task.meta).facts.push({ name: 'pods', value: String(pods.length) })
  })

  it.for(contract.deployments)(
    '$name finds a token in its container only if the table says so',
    async (row, { signal }) => {
      const folder = '/var/run/secrets/kubernetes.io/serviceaccount'
      // The root folder is there in any case and shows that the command can see.
      const argv = ['sh', '-c', `ls -d / ${folder}/token 2>/dev/null`]
      const { stdout, pod } = await execInComponent(
        cluster.kube,
        { namespace, component: row.component },
        argv,
        signal,
      )
      const seen = stdout.trim().split('\n')
      if (!seen.includes('/')) throw new CheckBroke(`ls in ${pod} saw nothing: ${stdout}`)
      expect(seen).toEqual(row.token ? ['/', `${folder}/token`] : ['/'])
    },
  )
})
