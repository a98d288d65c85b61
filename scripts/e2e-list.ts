import { criteriaOf, systemsWithCriteria } from '../e2e/criteria/criteria.ts'
import { testsIn } from '../e2e/run/tests-in.ts'
import { refusedOnShared, suites } from '../e2e/suites.ts'
import { testName } from '../e2e/report/run-report.ts'
import type { E2eOptions } from './e2e-options.ts'

/**
 * What the options would run: suites with their tests, suites that run only by name, criteria; as text, or as one JSON document. Needs no
 * cluster.
 */
export async function listing(
  { suites: chosen, profile, json }: Pick<E2eOptions, 'suites' | 'profile' | 'json'>,
  pattern: string | undefined,
): Promise<string> {
  const tests = await testsIn(chosen, pattern)
  const nameFor = (test: (typeof tests)[number]): string => {
    const refused = profile === 'shared' && !json ? refusedOnShared(test) : undefined
    return refused === undefined ? testName(test) : `${testName(test)}  (${refused})`
  }
  const withTests = suites
    .filter(({ name }) => chosen.includes(name))
    .map((suite) => ({ ...suite, tests: tests.filter((test) => test.suite === suite.name).map(nameFor) }))
  const criteria = systemsWithCriteria().flatMap(criteriaOf)
  if (json) return `${JSON.stringify({ profile, suites: withTests, criteria }, undefined, 2)}\n`
  const parts = withTests.map(({ name, about, lane, tests: mine }) => {
    const when = lane === 'together' ? '' : `, runs ${lane}`
    return [
      `${name} (${String(mine.length)} tests${when}): ${about}`,
      ...mine.map((test) => `  ${test}`),
    ].join('\n')
  })
  const others = suites.filter(({ name }) => !chosen.includes(name))
  const notChosen = others.map(({ name, about, profile: of }) => `  ${name} (${of}): ${about}`)
  return `${[
    `Profile ${profile}: ${String(tests.length)} tests`,
    ...parts,
    ...(others.length === 0 ? [] : [`Not chosen:\n${notChosen.join('\n')}`]),
    `Criteria, for --only:\n${criteria.map(({ id, text }) => `  ${id.padEnd(8)} ${text}`).join('\n')}`,
  ].join('\n\n')}\n`
}
