import path from 'node:path'
import type { Paths } from '../plan/options.ts'

export interface PathChoices {
  /** `--state-dir` and `--cache-dir`; relative ones are taken from `cwd`. */
  stateDir?: string
  cacheDir?: string
}

/**
 * Where everything is: flags before LOCAL_CLOUD_STATE_DIR and LOCAL_CLOUD_CACHE_DIR before the defaults in the checkout.
 * An empty variable counts as unset.
 */
export function resolvePaths(
  repo: string,
  choices: PathChoices,
  env: Record<string, string | undefined>,
  cwd: string,
): Paths {
  const resolve = (flag: string | undefined, variable: string, fallback: string) =>
    path.resolve(cwd, flag ?? (env[variable] || fallback))
  const stateDir = resolve(choices.stateDir, 'LOCAL_CLOUD_STATE_DIR', path.join(repo, '.local-cloud'))
  return {
    repo,
    stateDir,
    cacheDir: resolve(choices.cacheDir, 'LOCAL_CLOUD_CACHE_DIR', path.join(stateDir, 'cache')),
  }
}
