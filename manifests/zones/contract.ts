import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'

const text = z.string().min(1)
const ids = z.array(text).min(1)
const environmentNames = ['base', 'local', 'gpu', 'pod-network'] as const
const environment = z.enum(environmentNames)
/** Lines of the document (`L12-14, L31`), a decision (`Z05`), or both. */
const section = z.string().regex(/^(?:L\d+(?:-\d+)?|Z\d\d)(?:, (?:L\d+(?:-\d+)?|Z\d\d))*$/)

const fact = z
  .strictObject({
    fact: text,
    section,
    /** Keys of the way to the value; an item of a list goes by its name. */
    path: ids,
    /** Object → its value; in the place of `objects` and `is`. */
    values: z.record(text, z.unknown()).exactOptional(),
    objects: ids.exactOptional(),
    /** null: not there. */
    is: z.unknown().optional(),
    /** Overlay → the value there. */
    in: z.partialRecord(environment, z.unknown()).exactOptional(),
    /** Environments that have the objects; default all. */
    only: z.array(environment).min(1).exactOptional(),
  })
  .refine(({ values, objects }) => (values === undefined) !== (objects === undefined), {
    error: 'needs either values, or objects and is',
  })

const budget = z.strictObject({ section, seconds: z.int().positive() })

const contractSchema = z.strictObject({
  environments: z.record(environment, text),
  objects: z.record(environment, ids),
  facts: z.array(fact),
  budgets: z.strictObject({
    startup: budget,
    liveness: budget,
    /** By which number an overlay divides every time of the probes. */
    divided: z.record(environment, z.int().positive()),
  }),
  guaranteed: z.strictObject({ section, objects: ids }),
})

/** What the zones' manifests have to hold, requirements of the document and decisions, each with its place. */
export type Contract = z.infer<typeof contractSchema>
export type EnvironmentName = (typeof environmentNames)[number]
export const environments: readonly EnvironmentName[] = environmentNames

/**
 * Reads `contract.yaml`.
 * @throws ZodError naming the fact and field when the file does not have this form
 */
export function readContract(): Contract {
  return contractSchema.parse(parse(readFileSync(new URL('contract.yaml', import.meta.url), 'utf8')))
}

/** Whether the document itself says so; the rest are decisions and never reported as requirements. */
export const isRequirement = (statedAt: string): boolean => statedAt.startsWith('L')
