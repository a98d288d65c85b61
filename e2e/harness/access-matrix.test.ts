import { describe, expect, it } from 'vitest'
import { rightName, rightsServed, withStated } from './access-matrix.ts'

const documents = [
  {
    items: [
      {
        metadata: {},
        versions: [
          {
            resources: [
              { resource: 'pods', verbs: ['get'], subresources: [{ subresource: 'log', verbs: ['get'] }] },
            ],
          },
        ],
      },
      {
        metadata: { name: 'batch' },
        versions: [
          { resources: [{ resource: 'jobs', verbs: ['list'] }] },
          { resources: [{ resource: 'jobs', verbs: ['list'] }] },
        ],
      },
    ],
  },
]

describe('rightsServed', () => {
  const names = rightsServed(documents).map(rightName)

  it('are every verb on every resource and subresource, each once', () => {
    expect(names).toEqual(expect.arrayContaining(['get pods', 'get pods/log', 'list batch/jobs']))
    expect(new Set(names).size).toBe(names.length)
  })

  it('hold the verbs that discovery does not tell of', () => {
    expect(names).toEqual(
      expect.arrayContaining([
        'impersonate serviceaccounts',
        'bind rbac.authorization.k8s.io/clusterroles',
        'escalate rbac.authorization.k8s.io/roles',
      ]),
    )
  })
})

it('a right is called as the contract calls it', () => {
  expect(rightName({ verb: 'get', group: '', resource: 'pods', subresource: 'log' })).toBe('get pods/log')
  expect(rightName({ verb: 'create', group: 'batch', resource: 'jobs', subresource: '' })).toBe(
    'create batch/jobs',
  )
})

describe('withStated', () => {
  const rights = rightsServed(documents)

  it('adds a verb that a table grants on a served resource', () => {
    const added = withStated(rights, new Set(['list pods/log', 'get pods'])).slice(rights.length)
    expect(added).toEqual([{ verb: 'list', group: '', resource: 'pods', subresource: 'log' }])
  })

  it('adds nothing for a resource that is not served', () => {
    expect(withStated(rights, new Set(['get apps/unicorns']))).toEqual(rights)
  })
})
