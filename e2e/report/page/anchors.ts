import { createHash } from 'node:crypto'
import { testName, type TestReport } from '../run-report.ts'

/** Where each test is on the page. */
export interface Anchors {
  /** Id of a test's row; the same in every run that has the test. */
  of(test: TestReport): string
  /** The tests of this name; none when it did not run. */
  named(name: string): readonly TestReport[]
}

/** Ids for these tests: readable, made of the name alone, and different even where two tests have the same one. */
export function anchorsOf(tests: readonly TestReport[]): Anchors {
  const byName = Map.groupBy(tests, testName)
  const ids = new Map(
    [...byName].flatMap(([name, list]) =>
      list.map(
        (test, index) => [test, `${slug(name)}${index === 0 ? '' : `-${String(index + 1)}`}`] as const,
      ),
    ),
  )
  return {
    of: (test) => ids.get(test) ?? slug(testName(test)),
    named: (name) => byName.get(name) ?? [],
  }
}

/** An id for any text: its first words, and a hash because they may be shared. */
export const slug = (text: string): string =>
  `${text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, '')}-${createHash('sha256').update(text).digest('hex').slice(0, 8)}`
