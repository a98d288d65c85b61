import { isDeepStrictEqual } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { validateObjects } from '../../bootstrap/manifests/validate.ts'
import { checkContract } from './check-contract.ts'
import { type EnvironmentName, readContract } from './contract.ts'
import { at, idOf } from './manifest.ts'
import { rendered } from './rendered.ts'

const contract = readContract()
const environments = Object.keys(contract.environments) as EnvironmentName[]

describe.each(environments)('SLATE, environment %s', (environment) => {
  let manifests: KubeObject[]

  beforeAll(async () => {
    manifests = await rendered(contract.environments[environment].render)
  })

  it('holds every fact of the specification', () => {
    expect(checkContract(contract, environment, manifests)).toEqual([])
  })

  it('is valid, and no name in it leads nowhere', () => {
    expect(validateObjects(manifests, contract.environments[environment].render)).toEqual([])
  })
})

describe('the check itself', () => {
  let local: readonly KubeObject[]
  const anyDeployment = contract.deployments[0]?.name ?? ''
  const ofGpu = Object.keys(contract.environments.base.gpu)[0] ?? ''

  beforeAll(async () => {
    local = await rendered(contract.environments.local.render)
  })

  /** A change to one object, and the only kinds of facts that may then fail. */
  const mutations: [object: string, change: (manifest: KubeObject) => void, facts: string[]][] = [
    [
      `Namespace/${contract.namespace.name}`,
      set('privileged', 'metadata', 'labels', 'pod-security.kubernetes.io/enforce'),
      ['namespace labels'],
    ],
    [
      firstOf('Service', contract.services.rows),
      set('1', 'metadata', 'labels', 'app.kubernetes.io/version'),
      ['common labels'],
    ],
    ['Ingress/slate-ingress', set('default', 'metadata', 'namespace'), ['namespace of the object']],
    [firstOf('Role', contract.roles), append('delete', 'rules', 0, 'verbs'), ['role rules']],
    [firstOf('Role', contract.roles), set(['one'], 'rules', 0, 'resourceNames'), ['role rules']],
    [`RoleBinding/slate-agent-binding`, set('slate-core-role', 'roleRef', 'name'), ['role binding']],
    [`RoleBinding/slate-agent-binding`, set('default', 'subjects', 0, 'name'), ['role binding']],
    [
      `ClusterRole/${contract.emptyClusterRole.name}`,
      append({ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }, 'rules'),
      ['empty cluster role'],
    ],
    ...deploymentMutations(anyDeployment, ofGpu),
    [firstOf('Service', contract.services.rows), set('NodePort', 'spec', 'type'), ['service type']],
    [firstOf('Service', contract.services.rows), set(80, 'spec', 'ports', 0, 'port'), ['service ports']],
    [
      'Service/chromadb-svc',
      set({ 'app.kubernetes.io/component': 'chromadb' }, 'spec', 'selector'),
      ['service selector'],
    ],
    [
      'PersistentVolumeClaim/slate-data-pvc',
      set('4Gi', 'spec', 'resources', 'requests', 'storage'),
      ['claim'],
    ],
    ['PersistentVolumeClaim/slate-data-pvc', set(['ReadWriteMany'], 'spec', 'accessModes'), ['claim']],
    ['Ingress/slate-ingress', set('traefik', 'spec', 'ingressClassName'), ['ingress class and host']],
    ['Ingress/slate-ingress', set('other.local', 'spec', 'rules', 0, 'host'), ['ingress class and host']],
    [
      'Ingress/slate-ingress',
      set('Exact', 'spec', 'rules', 0, 'http', 'paths', 3, 'pathType'),
      ['ingress routes'],
    ],
    [
      'Ingress/slate-ingress',
      set('ollama-svc', 'spec', 'rules', 0, 'http', 'paths', 3, 'backend', 'service', 'name'),
      ['ingress routes'],
    ],
    [
      'Ingress/slate-ingress',
      set('51', 'metadata', 'annotations', 'nginx.ingress.kubernetes.io/limit-rps'),
      ['ingress annotations'],
    ],
    ['ConfigMap/slate-instructions', set('x', 'data', 'more.yaml'), ['ConfigMap keys']],
    ['ConfigMap/slate-dashboard-config', set('localhost:11434', 'data', 'OLLAMA_HOST'), ['ConfigMap values']],
    ['ConfigMap/slate-model-files', set('FROM phi\n', 'data', 'Modelfile.slate-fast'), ['ConfigMap values']],
    ['Secret/slate-github-secret', set('dG9rZW4=', 'data', 'token'), ['Secret placeholder']],
  ]

  it.each(mutations.map(([object, change, facts]) => ({ object, change, facts })))(
    'sees a change of $object: $facts',
    ({ object, change, facts }) => {
      const changed = structuredClone(local) as KubeObject[]
      const manifest = changed.find((one) => idOf(one) === object)
      if (manifest === undefined) throw new Error(`${object} is not rendered`)
      change(manifest)
      const violations = caused(changed)
      expect([...new Set(violations.map(({ fact }) => fact))]).toEqual(facts)
      expect(violations.map((one) => one.object)).toContain(facts[0] === 'sum of requests' ? 'all' : object)
    },
  )

  it('is tried with a change for every kind of fact', () => {
    const tried = new Set([...mutations.flatMap(([, , facts]) => facts), 'inventory', 'stated resources'])
    const kinds = new Set(
      environments.flatMap((name) => checkContract(contract, name, [])).map(({ fact }) => fact),
    )
    expect([...kinds].filter((kind) => !tried.has(kind))).toEqual([])
  })

  it('sees a change of the resources that the guide states', async () => {
    const [name] = Object.keys(contract.environments.base.resources)
    const changed = structuredClone(await rendered(contract.environments.base.render))
    const manifest = changed.find((one) => idOf(one) === `Deployment/${name ?? ''}`)
    if (manifest === undefined) throw new Error('no Deployment')
    set('251m', 'spec', 'template', 'spec', 'containers', 0, 'resources', 'requests', 'cpu')(manifest)
    expect(checkContract(contract, 'base', changed).map(({ fact }) => fact)).toEqual(['stated resources'])
  })

  it('sees a missing and an extra object', () => {
    const [first, ...others] = local
    if (first === undefined) throw new Error('nothing is rendered')
    const twin = { ...first, metadata: { ...first.metadata, name: 'twin' } }
    expect(factsOf(others)).toContain('inventory')
    expect(factsOf([...local, twin])).toContain('inventory')
    expect(factsOf([...local, first])).toContain('inventory')
  })

  it('tells section, object, expectation and what it saw', () => {
    const [row] = contract.deployments
    const changed = structuredClone(local) as KubeObject[]
    const manifest = changed.find((one) => idOf(one) === `Deployment/${row?.name ?? ''}`)
    if (row === undefined || manifest === undefined) throw new Error('no Deployment')
    set(row.replicas + 1, 'spec', 'replicas')(manifest)
    expect(caused(changed)).toEqual([
      {
        fact: 'replicas',
        section: row.section,
        object: idOf(manifest),
        expected: row.replicas,
        seen: row.replicas + 1,
      },
    ])
  })

  /** The violations that the change alone causes, so that a broken overlay fails in its own test only. */
  const caused = (manifests: readonly KubeObject[]) => {
    const before = checkContract(contract, 'local', local)
    return checkContract(contract, 'local', manifests).filter(
      (violation) => !before.some((one) => isDeepStrictEqual(one, violation)),
    )
  }

  const factsOf = (manifests: readonly KubeObject[]) => caused(manifests).map(({ fact }) => fact)
})

function deploymentMutations(
  name: string,
  ofGpu: string,
): [object: string, change: (manifest: KubeObject) => void, facts: string[]][] {
  const object = `Deployment/${name}`
  const pod = ['spec', 'template', 'spec'] as const
  const container = [...pod, 'containers', 0] as const
  return [
    [object, set(1, 'spec', 'replicas'), ['replicas']],
    [
      object,
      set('x', 'spec', 'template', 'metadata', 'labels', 'app.kubernetes.io/component'),
      ['pod labels'],
    ],
    [
      object,
      append({ name: 'sidecar', resources: resources('50m', '64Mi') }, ...pod, 'containers'),
      ['one container'],
    ],
    [object, append({ containerPort: 1 }, ...container, 'ports'), ['container ports']],
    [object, set('default', ...pod, 'serviceAccountName'), ['service account']],
    [object, set('/healthz', ...container, 'startupProbe', 'httpGet', 'path'), ['startup probe']],
    [object, set(29, ...container, 'startupProbe', 'failureThreshold'), ['startup probe']],
    [object, set(1, ...container, 'livenessProbe', 'httpGet', 'port'), ['liveness probe']],
    [object, set(31, ...container, 'livenessProbe', 'periodSeconds'), ['liveness probe']],
    [object, set(1, ...container, 'readinessProbe', 'initialDelaySeconds'), ['readiness probe']],
    [object, set(undefined, ...container, 'readinessProbe'), ['readiness probe']],
    [object, set(0, ...pod, 'securityContext', 'runAsUser'), ['pod security context']],
    ['Deployment/ollama', set(true, ...pod, 'securityContext', 'runAsNonRoot'), ['pod security context']],
    [
      object,
      set([], ...container, 'securityContext', 'capabilities', 'drop'),
      ['container security context'],
    ],
    [object, set('x', ...pod, 'volumes', 0, 'persistentVolumeClaim', 'claimName'), ['claims mounted']],
    [object, set([], ...container, 'volumeMounts'), ['claims mounted']],
    [
      'Deployment/ollama',
      set('/data', ...container, 'volumeMounts', 0, 'mountPath'),
      ['mount path of a claim'],
    ],
    [object, set([], ...pod, 'volumes'), ['claims mounted', 'ConfigMaps mounted']],
    [
      object,
      set('DoNotSchedule', ...pod, 'topologySpreadConstraints', 0, 'whenUnsatisfiable'),
      ['topology spread'],
    ],
    [
      object,
      set('1', 'spec', 'template', 'metadata', 'annotations', 'prometheus.io/port'),
      ['scrape annotations'],
    ],
    [`Deployment/${ofGpu}`, set('1', ...container, 'resources', 'limits', 'nvidia.com/gpu'), ['GPU']],
    [object, set({ 'nvidia.com/gpu.present': 'true' }, ...pod, 'nodeSelector'), ['node selector']],
    [object, set('core', ...container, 'command', 3), ['entrypoint']],
    [object, set('slate:latest', ...container, 'image'), ['image']],
    [object, set('Always', ...container, 'imagePullPolicy'), ['image']],
    [object, set('49m', ...container, 'resources', 'requests', 'cpu'), ['container limits']],
    [object, set('33Gi', ...container, 'resources', 'limits', 'memory'), ['container limits']],
    [object, set(undefined, ...container, 'resources', 'limits', 'cpu'), ['container limits']],
    [object, set('300m', ...container, 'resources', 'requests', 'cpu'), ['sum of requests']],
    [object, set(resources('50m', '2Gi'), ...container, 'resources'), ['sum of requests']],
  ]
}

function resources(cpu: string, memory: string) {
  return { requests: { cpu, memory }, limits: { cpu, memory } }
}

function firstOf(kind: string, rows: readonly { name: string }[]): string {
  return `${kind}/${rows[0]?.name ?? ''}`
}

type Path = [string | number, ...(string | number)[]]

/** Puts a value under the keys; undefined takes the key away. */
function set(value: unknown, ...path: Path) {
  return (manifest: KubeObject): void => {
    const parent = at(manifest, ...path.slice(0, -1)) ?? {}
    const [last] = path.slice(-1)
    if (last === undefined || typeof parent !== 'object') throw new Error(`nothing at ${path.join('.')}`)
    if (value === undefined) Reflect.deleteProperty(parent, last)
    else (parent as Record<string | number, unknown>)[last] = value
  }
}

function append(value: unknown, ...path: Path) {
  return (manifest: KubeObject): void => {
    const list = at(manifest, ...path)
    if (!Array.isArray(list)) throw new Error(`no list at ${path.join('.')}`)
    list.push(value)
  }
}
