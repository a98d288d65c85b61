import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { renderedAlerts } from '../manifests/zones/monitoring-rules/rendered-alerts.ts'

// Writes both forms of the zones' alerts from their one source: node scripts/run.mjs scripts/zones-alerts.ts. A unit test holds them equal.
const repository = path.resolve(import.meta.dirname, '..')
for (const [file, text] of Object.entries(renderedAlerts()))
  await writeFile(path.join(repository, file), text)
