import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { refersTo, suiteOf } from '../harness/reference.ts'
import { zonesMutations } from '../mutations/zones.ts'
import { suites } from '../suites.ts'
import { criteriaOf } from './criteria.ts'

const criteria = criteriaOf('zones')
const mine = suites
  .filter(({ name, system }) => system === 'zones' || name === 'canary')
  .map(({ name }) => name)

/** Every test there is, collected by the command that users have. */
let tests: { suite: string; path: string[] }[] = []
beforeAll(async () => {
  const argv = ['scripts/e2e.mjs', '--list', '--json', ...mine.flatMap((name) => ['--suite', name])]
  const { stdout } = await promisify(execFile)(process.execPath, argv, {
    cwd: path.resolve(import.meta.dirname, '../..'),
    maxBuffer: 10_000_000,
  })
  const listed = JSON.parse(stdout) as { suites: { name: string; tests: string[] }[] }
  tests = listed.suites.flatMap(({ name, tests: titles }) =>
    titles.map((title) => ({ suite: name, path: title.slice(name.length + 2).split(' › ') })),
  )
}, 60_000)
const exists = (reference: string): boolean => tests.some((test) => refersTo(reference, test))

describe('the criteria of the zones', () => {
  it('are told apart, rest on lines of the document, and name suites about the zones', () => {
    expect(new Set(criteria.map(({ id }) => id)).size).toBe(criteria.length)
    for (const { source, tests: references } of criteria) {
      expect(source).toMatch(/^L\d+/)
      expect(references.filter((reference) => !mine.includes(suiteOf(reference)))).toEqual([])
    }
  })

  it.each(criteria)(
    '$id has tests and controls that exist, and a mutation that one of them catches',
    (criterion) => {
      const { tests: references, controls, mutations: names, noMutation } = criterion
      expect([...references, ...controls].filter((reference) => !exists(reference))).toEqual([])
      expect(names.length > 0, 'a mutation, or why there can be none, and not both').toBe(
        noMutation === undefined,
      )
      for (const name of names) {
        const { caughtBy = '' } = zonesMutations.find((one) => one.name === name) ?? {}
        const caught = tests.filter((test) => refersTo(caughtBy, test))
        expect(
          references.some((reference) => caught.some((test) => refersTo(reference, test))),
          `${name} is caught by "${caughtBy}", which is no test of ${criterion.id}`,
        ).toBe(true)
      }
    },
  )
})
