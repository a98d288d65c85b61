import { readFileSync } from 'node:fs'
import path from 'node:path'
import { packageRoot } from '../state/package-root.ts'

/** The words of JSON Schema that the generated file uses. */
interface Schema {
  $ref?: string
  type?: string | string[]
  format?: string
  pattern?: string
  properties?: Record<string, Schema>
  additionalProperties?: Schema | false
  items?: Schema
  required?: string[]
  enum?: unknown[]
}

interface SchemaFile {
  kinds: Record<string, Schema>
  definitions: Record<string, Schema>
}

/** A field that is not as the schema has it. */
export interface FieldProblem {
  field: string
  problem: string
}

const missing = 'is required'

let loaded: SchemaFile | undefined

/** The generated file, read when it is first needed: scripts/generate-schemas.ts writes it. */
function schemaFile(): SchemaFile {
  loaded ??= JSON.parse(
    readFileSync(path.join(packageRoot, 'bootstrap/manifests/schemas/kubernetes.json'), 'utf8'),
  ) as SchemaFile
  return loaded
}

/** Whether the schemas know the kind; custom kinds are known to their cluster only. */
export const isKnownKind = (type: { apiVersion: string; kind: string }): boolean =>
  Object.hasOwn(schemaFile().kinds, `${type.apiVersion}/${type.kind}`)

/** The versions in which the schemas know a kind, for a manifest that names another one. */
export const versionsOfKind = (kind: string): string[] =>
  Object.keys(schemaFile().kinds)
    .filter((key) => key.endsWith(`/${kind}`))
    .map((key) => key.slice(0, -kind.length - 1))

/**
 * Everything that the API server's strict decoding would refuse: unknown fields, wrong types, missing fields, values outside
 * an enumeration, bad quantities and base64. A field that is null counts as absent, as it does for the server. Without
 * `complete` required fields may be missing. The schemas are walked as they are; compiling them would take longer than
 * checking all manifests of a system.
 */
export function schemaProblems(
  object: { apiVersion: string; kind: string },
  complete = true,
): FieldProblem[] {
  const schema = schemaFile().kinds[`${object.apiVersion}/${object.kind}`]
  if (schema === undefined) return []
  const problems: FieldProblem[] = []
  check(object, schema, '', problems)
  return complete ? problems : problems.filter(({ problem }) => problem !== missing)
}

function check(value: unknown, reference: Schema, field: string, problems: FieldProblem[]): void {
  const schema = resolve(reference)
  const report = (problem: string): void => {
    problems.push({ field, problem })
  }
  if (schema.type !== undefined && !hasType(value, schema.type)) {
    report(`must be ${typeWords(schema.type)}, not ${valueWords(value)}`)
    return
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    report(
      `cannot be ${valueWords(value)}; it takes ${schema.enum.map((one) => JSON.stringify(one)).join(', ')}`,
    )
  }
  if (typeof value === 'string') {
    if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
      report(`cannot be ${valueWords(value)}: no quantity`)
    if (schema.format === 'byte' && !isBase64(value)) report('must be base64')
  }
  if (schema.format === 'int32' && typeof value === 'number' && Math.abs(value) > 2 ** 31) {
    report(`cannot be ${String(value)}: larger than 32 bits hold`)
  }
  if (Array.isArray(value)) {
    const { items } = schema
    if (items === undefined) return
    for (const [index, item] of value.entries()) check(item, items, `${field}[${String(index)}]`, problems)
  } else if (typeof value === 'object' && value !== null) {
    checkFields(value as Record<string, unknown>, schema, field, problems)
  }
}

function checkFields(
  value: Record<string, unknown>,
  schema: Schema,
  field: string,
  problems: FieldProblem[],
): void {
  const { properties, additionalProperties, required = [] } = schema
  for (const name of required) {
    if (value[name] === undefined || value[name] === null)
      problems.push({ field: join(field, name), problem: missing })
  }
  for (const [name, part] of Object.entries(value)) {
    const known = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined
    if (known !== undefined) {
      if (part !== null) check(part, known, join(field, name), problems)
    } else if (additionalProperties === false) {
      problems.push({
        field: join(field, name),
        problem: `is no field here; known are ${shortList(Object.keys(properties ?? {}), name)}`,
      })
    } else if (additionalProperties !== undefined) {
      check(part, additionalProperties, join(field, name), problems)
    }
  }
}

function resolve(schema: Schema): Schema {
  if (schema.$ref === undefined) return schema
  return schemaFile().definitions[schema.$ref.slice('#/definitions/'.length)] ?? {}
}

function hasType(value: unknown, type: string | string[]): boolean {
  if (Array.isArray(type)) return type.some((one) => hasType(value, one))
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

const article = (type: string): string => (/^[aio]/.test(type) ? `an ${type}` : `a ${type}`)

const typeWords = (type: string | string[]): string =>
  Array.isArray(type)
    ? type.map((one) => article(one)).join(' or ')
    : type === 'array'
      ? 'a list'
      : article(type)

function valueWords(value: unknown): string {
  if (value === null) return 'empty'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return `${typeof value === 'string' ? '' : `the ${typeof value} `}${JSON.stringify(value)}`
}

const isBase64 = (value: string): boolean =>
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value.replaceAll(/[\r\n]/g, ''))

/** Names that begin as the wrong one does come first; at most a dozen. */
function shortList(names: readonly string[], wrong: string): string {
  const shared = (name: string): number => {
    let length = 0
    while (length < wrong.length && name[length]?.toLowerCase() === wrong[length]?.toLowerCase()) length += 1
    return length
  }
  const nearest = [...names].sort((a, b) => shared(b) - shared(a))
  return `${nearest.slice(0, 12).join(', ')}${nearest.length > 12 ? ' …' : ''}`
}

/** A name with characters that would be mistaken for a path is put into brackets, as the API server does. */
const join = (field: string, name: string): string =>
  /^[\w-]+$/.test(name) ? (field === '' ? name : `${field}.${name}`) : `${field}[${name}]`
