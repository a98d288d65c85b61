import { describe, expect, it } from 'vitest'
import { compareRights, rightsOf, statedRights, without } from './granted-rules.ts'

describe('rightsOf', () => {
  it('spells out every verb on every resource of every group', () => {
    const rights = rightsOf({
      resourceRules: [{ verbs: ['get', 'list'], apiGroups: ['', 'apps'], resources: ['pods', 'pods/log'] }],
      nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz'] }],
    })
    expect([...rights]).toEqual([
      'get pods',
      'get pods/log',
      'get apps/pods',
      'get apps/pods/log',
      'list pods',
      'list pods/log',
      'list apps/pods',
      'list apps/pods/log',
      'get /healthz',
    ])
  })

  it('does not take a right for one object for the right', () => {
    const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a', 'b'] }]
    expect([...rightsOf({ resourceRules: rules })]).toEqual(['get secrets named a, b'])
  })

  it('leaves a wildcard as it is', () => {
    const rules = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }]
    expect([...rightsOf({ resourceRules: rules })]).toEqual(['* */*'])
  })
})

const role = (serviceAccount: string, verbs: Record<string, string[]>) => ({
  name: `${serviceAccount}-role`,
  section: 'test',
  binding: `${serviceAccount}-binding`,
  serviceAccount,
  verbs,
})

describe('statedRights', () => {
  it('are those of the account’s own roles', () => {
    const roles = [
      role('a', { pods: ['get'], 'batch/jobs': ['list', 'create'] }),
      role('b', { nodes: ['get'] }),
    ]
    expect([...statedRights(roles, 'a')]).toEqual(['get pods', 'list batch/jobs', 'create batch/jobs'])
    expect([...statedRights(roles, 'default')]).toEqual([])
  })
})

describe('compareRights', () => {
  it('tells what is missing and what is too much', () => {
    expect(compareRights(new Set(['get pods', 'get nodes']), new Set(['get pods', 'list pods']))).toEqual({
      missing: ['list pods'],
      extra: ['get nodes'],
    })
  })

  it('is empty for equal sets', () => {
    expect(compareRights(new Set(['a', 'b']), new Set(['b', 'a']))).toEqual({ missing: [], extra: [] })
  })
})

it('without leaves out the others', () => {
  expect([...without(new Set(['a', 'b']), new Set(['b', 'c']))]).toEqual(['a'])
})
