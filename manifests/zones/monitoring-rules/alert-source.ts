import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'

const metricSchema = z.strictObject({
  /** Namespace whose pods serve it. */
  from: z.enum(['inference', 'agents']),
  type: z.enum(['counter', 'gauge', 'histogram']),
  /** Its own labels, with the values that a rule may name. */
  labels: z.record(z.string(), z.union([z.literal('any'), z.array(z.string())])),
  /** Upper ends of a histogram's buckets, in its unit. */
  buckets: z.array(z.number()).exactOptional(),
})

const alertSchema = z.strictObject({
  alert: z.string().regex(/^[A-Z][A-Za-z]+$/),
  expr: z.string().min(1),
  for: z.string(),
  severity: z.enum(['critical', 'warning']),
  summary: z.string().min(1),
  description: z.string().min(1),
  /** What to do first, on one line. */
  runbook: z.string().regex(/^[^\n]+$/),
})

const valuesSchema = z.record(z.string(), z.string())

const sourceSchema = z.strictObject({
  metrics: z.record(z.string(), metricSchema),
  values: z.strictObject({ normal: valuesSchema, quick: valuesSchema }),
  alerts: z.array(alertSchema).min(1),
})

/** The alerts of the zones as they are written, with `${NAME}` where a value belongs. */
export type AlertSource = z.output<typeof sourceSchema>
export type Metric = AlertSource['metrics'][string]
/** Which values the alerts get: those that are applied, or those of a proof. */
export type ValuesName = keyof AlertSource['values']

/** Reads manifests/zones/monitoring-rules/rules.yaml. @throws ZodError naming every field that is wrong */
export const readAlertSource = (): AlertSource =>
  sourceSchema.parse(parse(readFileSync(join(import.meta.dirname, 'rules.yaml'), 'utf8')))
