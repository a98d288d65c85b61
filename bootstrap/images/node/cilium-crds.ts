import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import { runCommand } from '../../process/run-command.ts'

/** Label by which Cilium's operator sees that a definition is current (pkg/k8s/apis/cilium.io/register.go). */
const schemaVersionLabel = 'io.cilium.k8s.crd.schema.version'

/**
 * Cilium's custom resource definitions as one YAML stream, without their descriptions, marked with their schema version: applied
 * with the cluster's first objects they save the operator seven seconds of registering them one by one.
 */
export async function ciliumCrds(
  archive: string,
  workDirectory: string,
  signal: AbortSignal,
): Promise<string> {
  await runCommand('tar', ['-xf', archive, '-C', workDirectory], { signal, errorCode: 'BUILD_FAILED' })
  const version = /CustomResourceDefinitionSchemaVersion = "([^"]+)"/.exec(
    await readFile(join(workDirectory, 'register.go'), 'utf8'),
  )?.[1]
  if (version === undefined) throw new Error('Cilium no longer names its CRD schema version in register.go')
  const documents: string[] = []
  for (const folder of ['v2', 'v2alpha1']) {
    const directory = join(workDirectory, 'client', 'crds', folder)
    for (const file of (await readdir(directory)).filter((name) => name.endsWith('.yaml')).sort()) {
      for (const document of parseAllDocuments(await readFile(join(directory, file), 'utf8'))) {
        const definition = document.toJS() as Record<string, unknown> | null
        if (definition === null) continue
        // The generator leaves an empty status; that of the defined kind is deeper inside.
        const { status: _status, ...wanted } = definition
        const crd = withoutDescriptions(wanted) as { metadata: { labels?: Record<string, string> } }
        crd.metadata.labels = { ...crd.metadata.labels, [schemaVersionLabel]: version }
        documents.push(stringify(crd, { lineWidth: 0 }))
      }
    }
  }
  return documents.join('---\n')
}

function withoutDescriptions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutDescriptions(item))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, child]) => !(key === 'description' && typeof child === 'string'))
      .map(([key, child]) => [key, withoutDescriptions(child)]),
  )
}
