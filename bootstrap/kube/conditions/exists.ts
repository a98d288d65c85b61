import type { Condition } from '../client.ts'

/** Met as soon as the object is there, in whatever state. */
export const exists: Condition = (object) =>
  object === undefined ? { met: false, seen: 'does not exist' } : { met: true, seen: 'exists' }
