import { readFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { choiceFromEnvironment } from '../harness/cluster.ts'

/** What became of one mutation. */
export type MutationOutcome = 'caught' | 'survived' | 'neighbour-red' | 'broke'

const one = z.object({
  name: z.string(),
  breaks: z.string(),
  object: z.string(),
  outcome: z.enum(['caught', 'survived', 'neighbour-red', 'broke']),
  why: z.string(),
  caughtBy: z.string(),
  durationMs: z.number(),
})
export type MutationResult = z.output<typeof one>

const shape = z.object({
  format: z.literal('local-cloud-e2e-mutations/1'),
  at: z.string(),
  results: z.array(one),
})
/** What the file holds. */
export type MutationReport = z.output<typeof shape>

/** Where the last run of the mutations wrote its results. */
export const mutationFile = (env: NodeJS.ProcessEnv = process.env): string =>
  path.join(choiceFromEnvironment(env).paths.stateDir, 'e2e-mutations', 'mutations.json')

/** Results that lie in the file; none when there is no such file. */
export function readMutations(file = mutationFile()): MutationResult[] {
  try {
    return shape.parse(JSON.parse(readFileSync(file, 'utf8'))).results
  } catch {
    return []
  }
}

/** Name → whether the last run of it caught the mutation. */
export const caughtMutations = (file = mutationFile()): ReadonlyMap<string, boolean> =>
  new Map(readMutations(file).map(({ name, outcome }) => [name, outcome === 'caught']))
