import { openEngine } from '../../bootstrap/engine/detect-engine.ts'
import type { Engine } from '../../bootstrap/engine/engine.ts'
import type { Paths } from '../../bootstrap/plan/options.ts'
import { NotProven } from './verdict.ts'

/** The container engine of this machine. @throws NotProven where none can be asked */
export async function engineHere(paths: Paths, signal: AbortSignal): Promise<Engine> {
  try {
    return await openEngine({ choice: 'auto', paths, install: false, emit: () => undefined, signal })
  } catch (error) {
    throw new NotProven(
      `No container engine of this machine can be asked: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
