import { testName, type TestReport } from '../report/run-report.ts'

/** Whether a reference, `suite: describe › title` or the beginning of it that ends with a word, means this test. */
export function refersTo(reference: string, test: Pick<TestReport, 'suite' | 'path'>): boolean {
  const whole = testName(test)
  return (
    whole === reference ||
    (whole.startsWith(reference) && !/^[\p{L}\p{N}]/u.test(whole.slice(reference.length)))
  )
}

/** Suite that a reference names. @throws Error when it names none */
export function suiteOf(reference: string): string {
  const [suite = '', ...rest] = reference.split(': ')
  if (rest.length === 0) throw new Error(`"${reference}" is no reference to a test: suite: describe › title`)
  return suite
}

/** Pattern for vitest, which joins titles by ` > `, that takes the tests which these references mean, and perhaps more. */
export const patternOf = (references: readonly string[]): string =>
  references
    .map((reference) => reference.slice(suiteOf(reference).length + 2).replaceAll(' › ', ' > '))
    .map((titles) => `^ ?${titles.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}`)
    .join('|')
