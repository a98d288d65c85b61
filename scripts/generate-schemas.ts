import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { findKubernetesBinary, openApi, startApiServer } from '../e2e/harness/api-server.ts'
import { groupVersions, trimmedSchemas } from './schemas/trimmed-schemas.ts'

// Writes bootstrap/manifests/schemas/kubernetes.json from what the API server of our Kubernetes version publishes. The
// documents that lie in its source repository lack the enumerations, hence a running server.
const repo = path.resolve(import.meta.dirname, '..')
const stateDir = process.env['LOCAL_CLOUD_STATE_DIR'] ?? path.join(repo, '.local-cloud')
const binary = findKubernetesBinary(process.env['LOCAL_CLOUD_CACHE_DIR'] ?? path.join(stateDir, 'cache'))
if (binary === undefined) {
  console.error(
    'No Kubernetes binary: set LOCAL_CLOUD_KUBERNETES_BINARY, or run npx zx bootstrap/up.mjs --images packages first.',
  )
  process.exitCode = 3
} else {
  await using server = await startApiServer({ binary, signal: AbortSignal.timeout(120_000) })
  const documents = await Promise.all(groupVersions.map((groupVersion) => openApi(server, groupVersion)))
  const folder = path.join(repo, 'bootstrap', 'manifests', 'schemas')
  await mkdir(folder, { recursive: true })
  await writeFile(path.join(folder, 'kubernetes.json'), `${JSON.stringify(trimmedSchemas(documents))}\n`)
}
