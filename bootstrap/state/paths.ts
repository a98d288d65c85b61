import { homedir } from 'node:os'
import path from 'node:path'
import type { Paths } from '../plan/options.ts'
import { isCompiled } from './package-root.ts'

export interface PathChoices {
  /** `--state-dir` and `--cache-dir`; relative ones are taken from `cwd`. */
  stateDir?: string
  cacheDir?: string
}

/**
 * Where everything is: flags before LOCAL_CLOUD_STATE_DIR and LOCAL_CLOUD_CACHE_DIR before the defaults in the checkout. An installed package is
 * replaced as a whole and keeps nothing in itself: its state is in `cwd`, its cache in the user's (XDG Base Directory Specification).
 * An empty variable counts as unset.
 */
export function resolvePaths(
  repo: string,
  choices: PathChoices,
  env: Record<string, string | undefined>,
  cwd: string,
  installed = isCompiled,
): Paths {
  const resolve = (flag: string | undefined, variable: string, fallback: string) =>
    path.resolve(cwd, flag ?? (env[variable] || fallback))
  const stateDir = resolve(
    choices.stateDir,
    'LOCAL_CLOUD_STATE_DIR',
    path.join(installed ? cwd : repo, '.local-cloud'),
  )
  const userCache = path.join(env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache'), 'local-cloud')
  return {
    repo,
    stateDir,
    cacheDir: resolve(
      choices.cacheDir,
      'LOCAL_CLOUD_CACHE_DIR',
      installed ? userCache : path.join(stateDir, 'cache'),
    ),
  }
}
