import { readFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { reportVariable } from '../report/run-report.ts'
import { NotProven } from './verdict.ts'

/** What must work before other checks mean anything. */
export const canaryNames = ['enforcement', 'dns', 'storage', 'metrics', 'ingress', 'gpu'] as const
export type CanaryName = (typeof canaryNames)[number]

const shape = z.partialRecord(z.enum(canaryNames), z.object({ ok: z.boolean(), seen: z.string() }))
export type Canaries = z.output<typeof shape>

/** File in the folder of the report to which the canaries write what they saw. */
export const canaryFile = 'canaries.json'

/**
 * Returns when the canary of this run was green.
 * @throws NotProven with the canary's own reason when it was not, or when it did not run: then the check that asks would say nothing
 */
export function requireCanary(name: CanaryName, env: NodeJS.ProcessEnv = process.env): void {
  const result = readCanaries(env)[name]
  if (result === undefined)
    throw new NotProven(`The canary ${name} did not run, so this would prove nothing.`)
  if (!result.ok) throw new NotProven(`The canary ${name} failed: ${result.seen}`)
}

/** What the canaries of this run saw so far; empty when none ran. */
export function readCanaries(env: NodeJS.ProcessEnv = process.env): Canaries {
  try {
    return shape.parse(JSON.parse(readFileSync(path.join(env[reportVariable] ?? '', canaryFile), 'utf8')))
  } catch {
    return {}
  }
}
