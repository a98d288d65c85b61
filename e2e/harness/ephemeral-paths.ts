import type { Paths } from '../../bootstrap/plan/options.ts'
import { packageRoot } from '../../bootstrap/state/package-root.ts'
import { resolvePaths } from '../../bootstrap/state/paths.ts'

/** Where things are for an ephemeral cluster with these files. */
export function ephemeralPaths(stateDir: string, cacheDir?: string): Paths {
  const usual = resolvePaths(packageRoot, {}, process.env, process.cwd())
  return { ...usual, stateDir, cacheDir: cacheDir ?? usual.cacheDir }
}
