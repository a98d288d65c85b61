import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'
import { describeControls } from '../harness/controls.ts'
import { refersTo } from '../harness/reference.ts'
import { worst } from '../harness/verdict.ts'
import { caughtMutations } from '../mutations/result.ts'
import { testName, type CriterionReport, type TestReport } from '../report/run-report.ts'
import { suites, type Suite } from '../suites.ts'

const text = z.string().min(1)

const criterion = z.strictObject({
  id: text,
  /** What the specification says, in its own words or close to them. */
  text,
  /** Document and section; 000 and 001 as the contract has them. */
  source: text,
  /** References to the tests that prove it: `suite: describe › title`, or the beginning. */
  tests: z.array(text).min(1),
  /** Those of them, or others, that show that a breach would have been seen. */
  controls: z.array(text).min(1),
  /** Names of e2e/mutations that its tests have to catch. */
  mutations: z.array(text),
  /** Why no change to the manifests can break it; required where there is no mutation. */
  noMutation: text.exactOptional(),
})
export type Criterion = z.output<typeof criterion>

const folder = path.dirname(fileURLToPath(import.meta.url))

/** The criteria of a system, out of e2e/criteria/NAME.yaml. @throws ZodError for a file that is not of this shape */
export const criteriaOf = (system: string): Criterion[] =>
  z.array(criterion).parse(parse(readFileSync(path.join(folder, `${system}.yaml`), 'utf8')))

/** Systems that have criteria. */
export const systemsWithCriteria = (): string[] =>
  readdirSync(folder)
    .flatMap((file) => (file.endsWith('.yaml') ? [path.basename(file, '.yaml')] : []))
    .sort()

/** What a run says about each criterion of the systems that it was about. */
export const criteriaReport = (tests: readonly TestReport[]): CriterionReport[] => {
  const caught = caughtMutations()
  return systemsOfRun(tests, systemsWithCriteria(), suites)
    .flatMap((system) => criteriaOf(system))
    .map((one) => judge(one, tests, caught))
}

/** Of these systems those that a test of the run is about; all of them when no test is about any. */
export function systemsOfRun(
  tests: readonly Pick<TestReport, 'suite'>[],
  systems: readonly string[],
  known: readonly Pick<Suite, 'name' | 'system'>[],
): readonly string[] {
  const ran = new Set(tests.map(({ suite }) => known.find(({ name }) => name === suite)?.system))
  const about = systems.filter((system) => ran.has(system))
  return about.length === 0 ? systems : about
}

/**
 * The verdict over one criterion: the worst of its tests; not proven when one of its references ran no test, or when none of its controls
 * ran, because nobody would have noticed a breach then.
 */
export function judge(
  { id, text: words, source, tests: references, controls, mutations }: Criterion,
  tests: readonly TestReport[],
  caught: ReadonlyMap<string, boolean>,
): CriterionReport {
  const meant = (reference: string) => tests.filter((test) => refersTo(reference, test))
  const mine = [...new Set(references.flatMap(meant))]
  const controlling = [...new Set(controls.flatMap(meant))]
  const absent = references.filter((reference) => meant(reference).length === 0)
  const red = mine.filter(({ verdict }) => verdict !== 'pass')
  const base = {
    id,
    text: words,
    source,
    tests: mine.map(testName),
    controls: controlling.flatMap((test) => [
      ...test.record.controls.map(describeControls),
      ...(test.record.controls.length === 0 && test.verdict === 'pass' ? [testName(test)] : []),
    ]),
    mutations: mutations.map((name) => {
      const seen = caught.get(name)
      return seen === undefined ? { name } : { name, caught: seen }
    }),
  }
  if (red.length > 0) {
    const verdict = worst(red.map((test) => test.verdict))
    const first = red.find((test) => test.verdict === verdict)
    const why = `${first ? testName(first) : ''}: ${first?.reasons[0]?.message.split('\n')[0] ?? 'no reason was given'}`
    return { ...base, verdict, why }
  }
  if (mine.length === 0)
    return { ...base, verdict: 'not-proven', why: 'None of its tests was part of this run.' }
  if (absent.length > 0)
    return { ...base, verdict: 'not-proven', why: `Not part of this run: ${absent.join('; ')}.` }
  if (!controlling.some(({ verdict }) => verdict === 'pass'))
    return { ...base, verdict: 'not-proven', why: 'None of its controls was part of this run.' }
  return {
    ...base,
    verdict: 'pass',
    why: `${String(mine.length)} tests, ${String(controlling.length)} with controls`,
  }
}
