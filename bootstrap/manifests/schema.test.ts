import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isKnownKind, schemaProblems, versionsOfKind } from './schema.ts'

type Typed = { apiVersion: string; kind: string } & Record<string, unknown>

const deployment = (): Typed => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'core', labels: { app: 'core' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'core' } },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } },
    template: {
      metadata: { labels: { app: 'core' }, creationTimestamp: null },
      spec: {
        containers: [
          {
            name: 'main',
            image: 'slate:local',
            imagePullPolicy: 'IfNotPresent',
            ports: [{ name: 'http', containerPort: 8080 }],
            env: [{ name: 'A', value: '1' }],
            resources: {
              requests: { cpu: '100m', memory: '64Mi', 'nvidia.com/gpu': 1 },
              limits: { cpu: 0.5 },
            },
            readinessProbe: { httpGet: { path: '/', port: 'http' } },
          },
        ],
        volumes: [{ name: 'a', emptyDir: {} }],
      },
    },
  },
})

const cases: [string, Typed][] = [
  ['a Deployment', deployment()],
  [
    'a Secret',
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'a' },
      type: 'Opaque',
      data: { key: 'YWJj' },
      stringData: { b: 'c' },
    },
  ],
  [
    'a Service',
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'a' },
      spec: { ports: [{ port: 80, targetPort: 'http', protocol: 'TCP' }] },
    },
  ],
  [
    'an Ingress',
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'a' },
      spec: {
        rules: [
          {
            http: {
              paths: [
                { path: '/', pathType: 'Prefix', backend: { service: { name: 'a', port: { number: 80 } } } },
              ],
            },
          },
        ],
      },
    },
  ],
  [
    'a NetworkPolicy',
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'a' },
      spec: {
        podSelector: {},
        policyTypes: ['Ingress'],
        ingress: [{ ports: [{ port: 80, protocol: 'TCP' }] }],
      },
    },
  ],
  [
    'a definition with every freedom of its schema',
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.test.io' },
      status: { anything: ['goes'] },
      spec: {
        group: 'test.io',
        scope: 'Cluster',
        names: { kind: 'Widget', plural: 'widgets' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                'x-kubernetes-preserve-unknown-fields': true,
                properties: {
                  a: { type: 'string', default: { any: 'json' }, enum: ['a', 1, null] },
                  b: { type: 'object', additionalProperties: true },
                },
              },
            },
          },
        ],
      },
    },
  ],
  [
    'an autoscaler',
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'a' },
      spec: {
        maxReplicas: 3,
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' },
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
          },
        ],
      },
    },
  ],
]

describe('schemaProblems', () => {
  it.each(cases)('accepts %s', (_what, object) => {
    expect(schemaProblems(object)).toEqual([])
  })

  it.each<[string, (object: Typed) => void, string, RegExp]>([
    [
      'an unknown field',
      (o) => (container(o)['imagePullPolcy'] = 'Never'),
      'spec.template.spec.containers[0].imagePullPolcy',
      /is no field here; known are imagePullPolicy, image, /,
    ],
    ['an unknown field of the object', (o) => (o['sepc'] = {}), 'sepc', /is no field here; known are spec/],
    [
      'a number for a string',
      (o) => (container(o)['env'] = [{ name: 'A', value: 1 }]),
      'spec.template.spec.containers[0].env[0].value',
      /^must be a string, not the number 1$/,
    ],
    [
      'a string for a number',
      (o) => (spec(o)['replicas'] = '2'),
      'spec.replicas',
      /^must be an integer, not "2"$/,
    ],
    [
      'half a replica',
      (o) => (spec(o)['replicas'] = 1.5),
      'spec.replicas',
      /^must be an integer, not the number 1.5$/,
    ],
    ['more than 32 bits', (o) => (spec(o)['replicas'] = 2 ** 40), 'spec.replicas', /larger than 32 bits/],
    [
      'an object for a list',
      (o) => (podSpec(o)['containers'] = {}),
      'spec.template.spec.containers',
      /^must be a list, not an object$/,
    ],
    ['a list for an object', (o) => (o['spec'] = []), 'spec', /^must be an object, not a list$/],
    ['a missing field', (o) => Reflect.deleteProperty(spec(o), 'selector'), 'spec.selector', /^is required$/],
    ['a required field that is null', (o) => (spec(o)['selector'] = null), 'spec.selector', /^is required$/],
    [
      'an item that is null',
      (o) => (podSpec(o)['containers'] = [null]),
      'spec.template.spec.containers[0]',
      /^must be an object, not empty$/,
    ],
    [
      'a value that is no choice',
      (o) => (container(o)['imagePullPolicy'] = 'Sometimes'),
      'spec.template.spec.containers[0].imagePullPolicy',
      /^cannot be "Sometimes"; it takes "Always", "IfNotPresent", "Never"$/,
    ],
    [
      'a bad quantity',
      (o) => (container(o)['resources'] = { requests: { memory: '64MB' } }),
      'spec.template.spec.containers[0].resources.requests.memory',
      /^cannot be "64MB": no quantity$/,
    ],
    [
      'a key that looks like a path',
      (o) => (container(o)['resources'] = { limits: { 'nvidia.com/gpu': [] } }),
      'spec.template.spec.containers[0].resources.limits[nvidia.com/gpu]',
      /^must be a string or a number, not a list$/,
    ],
    [
      'a float for an int or string',
      (o) => (spec(o)['strategy'] = { rollingUpdate: { maxSurge: 0.5 } }),
      'spec.strategy.rollingUpdate.maxSurge',
      /^must be an integer or a string/,
    ],
  ])('finds %s', (_what, breakIt, field, words) => {
    const object = deployment()
    breakIt(object)
    const problems = schemaProblems(object)
    expect(problems.map((problem) => problem.field)).toEqual([field])
    expect(problems[0]?.problem).toMatch(words)
  })

  it('finds data that is no base64', () => {
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'a' },
      data: { password: 'hunter2' },
    }
    expect(schemaProblems(secret)).toEqual([{ field: 'data.password', problem: 'must be base64' }])
  })

  it('finds everything at once', () => {
    const object = deployment()
    spec(object)['replcas'] = 1
    container(object)['image'] = 5
    expect(schemaProblems(object)).toHaveLength(2)
  })

  it('lets a manifest that adds to an object leave out what is required', () => {
    const partial = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'coredns' },
      spec: { replicas: '2' },
    }
    expect(schemaProblems(partial, false).map(({ field }) => field)).toEqual(['spec.replicas'])
  })

  it('knows the kinds of its version and no others', () => {
    expect(isKnownKind({ apiVersion: 'apps/v1', kind: 'Deployment' })).toBe(true)
    expect(isKnownKind({ apiVersion: 'apps/v1beta1', kind: 'Deployment' })).toBe(false)
    expect(isKnownKind({ apiVersion: 'toString', kind: '' })).toBe(false)
    expect(versionsOfKind('Ingress')).toEqual(['networking.k8s.io/v1'])
    expect(schemaProblems({ apiVersion: 'test.io/v1', kind: 'Widget', anything: true } as Typed)).toEqual([])
  })
})

// The schema file is JSON Schema, so that another implementation of it can say whether ours is right.
describe('compared with ajv', () => {
  const file = JSON.parse(readFileSync(new URL('schemas/kubernetes.json', import.meta.url), 'utf8')) as {
    kinds: Record<string, { $ref: string }>
    definitions: object
  }
  const ajv = new Ajv({
    strict: false,
    allErrors: false,
    formats: {
      int32: { type: 'number', validate: (value: number) => Math.abs(value) <= 2 ** 31 },
      int64: true,
      byte: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
    },
  })
  const validators = new Map(
    cases.map(([, { apiVersion, kind }]) => {
      const schema = file.kinds[`${apiVersion}/${kind}`]
      return [kind, ajv.compile({ ...schema, definitions: file.definitions })]
    }),
  )
  const values = [
    0,
    -1,
    1.5,
    2 ** 40,
    '',
    'abc',
    'YWJj',
    '100m',
    'TCP',
    true,
    [],
    {},
    [{}],
    { unknown: 1 },
    ['a'],
  ]

  it('judges documents in which one thing was changed alike', () => {
    const one = fc.record({
      base: fc.constantFrom(...cases.map(([, object]) => object)),
      path: fc.array(fc.nat(20), { minLength: 1, maxLength: 9 }),
      change: fc.oneof(
        fc.constantFrom(...values).map((value) => ({ put: value })),
        fc.constant('remove' as const),
        fc.constantFrom('unknown', 'spec', 'name').map((key) => ({ add: key })),
      ),
    })
    let invalid = 0
    fc.assert(
      fc.property(one, ({ base, path, change }) => {
        const object = withoutNulls(structuredClone(base)) as Typed
        alter(object, path, change)
        if (base.kind !== object.kind || base.apiVersion !== object.apiVersion) return
        const expected = validators.get(base.kind)?.(object) === true
        if (!expected) invalid += 1
        expect(schemaProblems(object).length === 0).toBe(expected)
      }),
      { numRuns: 2_000 },
    )
    expect(invalid).toBeGreaterThan(300)
  })
})

const spec = (object: Typed): Record<string, unknown> => object['spec'] as Record<string, unknown>
const podSpec = (object: Typed): Record<string, unknown> =>
  (spec(object)['template'] as { spec: Record<string, unknown> }).spec
const container = (object: Typed): Record<string, unknown> =>
  (podSpec(object)['containers'] as Record<string, unknown>[])[0] ?? {}

/** Null means absent to Kubernetes and something else to JSON Schema. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== null)
      .map(([key, part]) => [key, withoutNulls(part)]),
  )
}

/** Walks down by the numbers of the path and changes what is there. */
function alter(
  root: object,
  path: readonly number[],
  change: { put: unknown } | { add: string } | 'remove',
): void {
  let node = root as Record<string, unknown>
  for (const [depth, number] of path.entries()) {
    const keys = Object.keys(node)
    const key = keys[number % Math.max(keys.length, 1)]
    if (key === undefined) return
    const next = node[key]
    if (depth < path.length - 1 && typeof next === 'object' && next !== null) {
      node = next as Record<string, unknown>
      continue
    }
    if (change === 'remove') {
      if (Array.isArray(node)) node.splice(Number(key), 1)
      else Reflect.deleteProperty(node, key)
    } else if ('put' in change) node[key] = structuredClone(change.put)
    else if (!Array.isArray(node)) node[change.add] ??= 'added'
    return
  }
}
