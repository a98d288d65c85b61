import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { refersTo, suiteOf } from '../harness/reference.ts'
import { equivalent, mutations } from '../mutations/catalogue.ts'
import { suites } from '../suites.ts'
import { criteriaOf } from './criteria.ts'

const repository = path.resolve(import.meta.dirname, '../..')
const criteria = criteriaOf('slate')

/** Every test there is. They are collected by the command that users have, in a process of its own. */
let tests: { suite: string; path: string[] }[] = []
beforeAll(async () => {
  const named = suites.flatMap(({ name }) => ['--suite', name])
  const argv = ['scripts/e2e.mjs', '--list', '--json', ...named]
  const { stdout } = await promisify(execFile)(process.execPath, argv, {
    cwd: repository,
    maxBuffer: 10_000_000,
  })
  const listed = JSON.parse(stdout) as { suites: { name: string; tests: string[] }[] }
  tests = listed.suites.flatMap(({ name, tests: titles }) =>
    titles.map((title) => ({ suite: name, path: title.slice(name.length + 2).split(' › ') })),
  )
}, 60_000)

const exists = (reference: string): boolean => tests.some((test) => refersTo(reference, test))
const quick = new Set(suites.filter(({ profile }) => profile === 'quick').map(({ name }) => name))

describe('the criteria of SLATE', () => {
  it('begin with the eight of its specification, each once', () => {
    const ids = criteria.map(({ id }) => id)
    expect(ids.slice(0, 8)).toEqual(['SC-1', 'SC-2', 'SC-3', 'SC-4', 'SC-5', 'SC-6', 'SC-7', 'SC-8'])
    expect(new Set(ids).size).toBe(ids.length)
  })

  it.each(criteria)('$id has tests and controls that exist, and a mutation', (criterion) => {
    const { tests: references, controls, mutations: names, noMutation } = criterion
    expect([...references, ...controls].filter((reference) => !exists(reference))).toEqual([])
    expect(names.filter((name) => !mutations.some((one) => one.name === name))).toEqual([])
    expect(names.length > 0, 'a mutation, or why there can be none, and not both').toBe(
      noMutation === undefined,
    )
    for (const name of names) {
      const { caughtBy = '' } = mutations.find((one) => one.name === name) ?? {}
      const caught = tests.filter((test) => refersTo(caughtBy, test))
      const own = references.some((reference) => caught.some((test) => refersTo(reference, test)))
      expect(own, `${name} is caught by ${caughtBy}, which is no test of ${criterion.id}`).toBe(true)
    }
  })

  it.each(criteria)('$id is proven by the quick profile alone', ({ tests: references, controls }) => {
    expect([...references, ...controls].filter((reference) => !quick.has(suiteOf(reference)))).toEqual([])
  })
})

describe('the mutations', () => {
  it('are at least forty, over all kinds of objects that a user may change, each named once', () => {
    expect(mutations.length).toBeGreaterThanOrEqual(40)
    const names = [...mutations, ...equivalent].map(({ name }) => name)
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
    const kinds = new Set(mutations.map(({ object }) => object.split('/')[0]))
    for (const kind of [
      ...[
        'Namespace',
        'NetworkPolicy',
        'Deployment',
        'Service',
        'Ingress',
        'ConfigMap',
        'Role',
        'RoleBinding',
      ],
      ...['ServiceAccount', 'HorizontalPodAutoscaler', 'PodDisruptionBudget', 'CronJob', 'Job'],
      ...['ResourceQuota', 'LimitRange', 'PriorityClass', 'PersistentVolume', 'Secret'],
    ])
      expect(kinds, kind).toContain(kind)
  })

  it.each(mutations)('$name names tests that exist', ({ caughtBy, neighbours }) => {
    expect([caughtBy, ...neighbours].filter((reference) => !exists(reference))).toEqual([])
    const caught = tests.filter((test) => refersTo(caughtBy, test))
    const beside = neighbours.filter((reference) => caught.some((test) => refersTo(reference, test)))
    expect(beside, 'a neighbour that is the test itself').toEqual([])
  })

  it.each(equivalent)('$name says why it changes nothing', ({ reason }) => {
    expect(reason.length).toBeGreaterThan(30)
  })
})
