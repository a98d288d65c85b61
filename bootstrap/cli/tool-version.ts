import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Version of this tool, from package.json. */
export function toolVersion(repo: string): string {
  return (JSON.parse(readFileSync(join(repo, 'package.json'), 'utf8')) as { version: string }).version
}
