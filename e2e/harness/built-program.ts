import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * A program that was built from packages: the one that the environment variable names, or the newest that the component cache below `cacheDir`
 * holds; undefined when there is none.
 */
export function findBuiltProgram(
  cacheDir: string,
  { component, program, variable }: { component: string; program: string; variable: string },
): string | undefined {
  const named = process.env[variable]
  if (named !== undefined && named !== '') return existsSync(named) ? named : undefined
  const folder = join(cacheDir, 'components', component)
  if (!existsSync(folder)) return undefined
  return readdirSync(folder)
    .map((key) => join(folder, key, program))
    .filter((path) => existsSync(path))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0]
}
