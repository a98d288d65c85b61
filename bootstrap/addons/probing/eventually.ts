import { pause } from '../../kube/pause.ts'
import { throwIfAborted } from '../../process/run-command.ts'

export type Look<T> = { met: true; value: T } | { met: false; seen: string }

/**
 * Looks again and again until what was looked for is there, and returns it; after `timeoutMs` returns what the last look
 * saw, for the caller to judge. At least one look is taken.
 * @throws LocalCloudError of the signal when it aborts, and what `look` throws
 */
export async function eventually<T>(
  look: () => Promise<Look<T>>,
  options: { timeoutMs: number; signal: AbortSignal; intervalMs?: number },
): Promise<Look<T>> {
  const { timeoutMs, signal, intervalMs = 300 } = options
  const deadline = Date.now() + timeoutMs
  for (;;) {
    throwIfAborted(signal)
    const looked = await look()
    if (looked.met || Date.now() + intervalMs > deadline) return looked
    await pause(intervalMs, signal)
  }
}
