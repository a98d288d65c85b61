import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { runtimeClassNames } from '../plan/runtime-classes.mjs'

const variantSchema = z.strictObject({
  /** Components, folders below manifests/SYSTEM/components, that are put in the place of the dropped ones, else at the end. */
  add: z.array(z.string()).default([]),
  /** Components of the overlay that are left out; one that the overlay does not have is none to leave out. */
  drop: z.array(z.string()).default([]),
  /** What the user is told when the value is applied. */
  notice: z.string().exactOptional(),
  /** Whether what it brings needs a network that reaches beyond the cluster. */
  needsNetwork: z.boolean().default(false),
})

const systemSchema = z.strictObject({
  /** Options of `up` that the system understands, by name and value. */
  options: z.record(z.string(), z.record(z.string(), variantSchema)).default({}),
  /** RuntimeClasses that its pods name; clusters that are made for it get them without being asked to (`--runtime-class`). */
  runtimeClasses: z.array(z.enum(runtimeClassNames)).default([]),
  /** Whether it brings policies for nodes, which Cilium heeds only with its host firewall; clusters that are made for it have that. */
  hostPolicies: z.boolean().default(false),
})

/** What `up` has to know of a system beside its manifests: `manifests/SYSTEM/system.yaml`. */
export type SystemFile = z.output<typeof systemSchema>
/** What it wants of a cluster beside its objects. */
export type SystemDemands = Pick<SystemFile, 'runtimeClasses' | 'hostPolicies'>
/** What one value of an option changes in the overlay. */
export type Variant = z.output<typeof variantSchema>

/**
 * Reads it; a system without the file has no options.
 * @throws LocalCloudError BAD_SYSTEM_FILE naming every field that is wrong
 */
export async function readSystemFile(repo: string, system: string): Promise<SystemFile> {
  const place = `manifests/${system}/system.yaml`
  let text: string
  try {
    text = await readFile(join(repo, place), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return systemSchema.parse({})
    throw bad(place, ['it cannot be read'], error)
  }
  let value: unknown
  try {
    value = parse(text) ?? {}
  } catch (error) {
    throw bad(place, [`it is no YAML: ${(error as Error).message}`], error)
  }
  const checked = systemSchema.safeParse(value)
  if (checked.success) return checked.data
  throw bad(
    place,
    checked.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
  )
}

/** Options that tell what the cluster has; a system that makes nothing of it is as good on it. */
const ofTheCluster: ReadonlySet<string> = new Set(['gpu'])

/**
 * What these values of options change, in the order of the file. A value of an option that the system does not have is fine as
 * long as it is the default (`choices` then leaves it out).
 * @throws LocalCloudError BAD_VALUE
 */
export function variantsOf(
  file: SystemFile,
  system: string,
  choices: Readonly<Record<string, string>>,
): Variant[] {
  return Object.entries(choices).flatMap(([option, value]) => {
    const values = file.options[option]
    if (!values && ofTheCluster.has(option)) return []
    if (!values) {
      throw new LocalCloudError('BAD_VALUE', {
        message: `--${option} ${value}: the system ${system} has no such option.`,
        hint: `Leave --${option} out.`,
      })
    }
    const variant = values[value]
    if (variant) return variant
    throw new LocalCloudError('BAD_VALUE', {
      message: `--${option} ${value}: the system ${system} has ${Object.keys(values).join(', ')}.`,
    })
  })
}

const bad = (place: string, problems: string[], cause?: unknown): LocalCloudError =>
  new LocalCloudError('BAD_SYSTEM_FILE', {
    message: `${place} is not valid: ${problems.join('; ')}`,
    evidence: problems,
    ...(cause === undefined ? {} : { cause }),
  })
