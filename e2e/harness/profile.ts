/** Every profile there is. */
export const profiles = ['quick', 'full', 'shared'] as const

/**
 * How much a run takes its time, and what it may do. `quick` shortens what the specification makes long on a copy that differs in nothing
 * else; `full` waits for the original; `shared` is `quick` without what is not safe on a cluster on which others work.
 */
export type Profile = (typeof profiles)[number]

/** Variable by which every worker knows the profile. */
export const profileVariable = 'LOCAL_CLOUD_E2E_PROFILE'

/** Profile of this run; `quick` unless the environment says another. */
export const profileOf = (env: NodeJS.ProcessEnv = process.env): Profile =>
  profiles.find((one) => one === env[profileVariable]) ?? 'quick'

/** Whether tests wait for originals rather than for shortened copies. */
export const takesItsTime = (env: NodeJS.ProcessEnv = process.env): boolean => profileOf(env) === 'full'
