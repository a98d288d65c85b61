import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** One thing that is wrong with one manifest. */
export interface Problem {
  /** File or overlay that it stands in. */
  source: string
  /** Which document of it, from 1. */
  document: number
  /** `Deployment slate/core` */
  object: string
  /** Path of the field, such as `spec.template.spec.containers[0].image`; empty when it is the object itself. */
  field: string
  /** What is wrong, as the end of a sentence that begins with the field. */
  problem: string
}

/** MANIFEST_INVALID with every problem, one a line, in the order of sources and documents. `outcome` says what was done. */
export function invalidManifests(problems: readonly Problem[], outcome: string): LocalCloudError {
  const lines = [...problems]
    .sort(
      (a, b) => a.source.localeCompare(b.source) || a.document - b.document || a.field.localeCompare(b.field),
    )
    .map(problemLine)
  const objects = new Set(problems.map(({ source, document }) => `${source} ${String(document)}`)).size
  const count = lines.length === 1 ? 'One problem' : `${String(lines.length)} problems`
  const [first = ''] = lines
  return new LocalCloudError('MANIFEST_INVALID', {
    message: `${count} in ${objects === 1 ? 'a manifest' : `${String(objects)} manifests`}: ${first}${lines.length > 1 ? ' …' : ''}. ${outcome}`,
    evidence: lines,
  })
}

function problemLine({ source, document, object, field, problem }: Problem): string {
  return `${source}, document ${String(document)}, ${object}: ${field === '' ? '' : `${field} `}${problem}`
}
