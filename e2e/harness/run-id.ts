import { randomBytes } from 'node:crypto'

export { runLabel } from '../../bootstrap/existing/ours.ts'

/** Environment variable by which every worker of one run shares the id. */
export const runIdVariable = 'LOCAL_CLOUD_E2E_RUN_ID'

/** A new id: short, sortable by time, valid in names and label values, different for two runs that start in the same second. */
export const newRunId = (now: Date = new Date()): string =>
  `${Math.floor(now.getTime() / 1000).toString(36)}-${randomBytes(3).toString('hex')}`

/** Id of this run: the one the environment carries, else a new one that it carries from now on. */
export function runId(env: NodeJS.ProcessEnv = process.env): string {
  const given = env[runIdVariable]
  if (given !== undefined && /^[a-z0-9][a-z0-9-]{0,30}$/.test(given)) return given
  const made = newRunId()
  env[runIdVariable] = made
  return made
}
