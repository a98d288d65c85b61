/** What is told of one component while it is built. */
export interface ComponentProgress {
  tell: (message: string) => void
  /** It is there; whatever is still being built beside it is named again. */
  built(): void
}

/**
 * Words of a build of several components, some beside each other: each line has how many are finished of how many, the component, what happens
 * to it, and how long it has been built. The last line always names something that is still being built, as long as there is such a thing.
 */
export function buildProgress(
  total: number,
  progress: (line: string) => void,
  now: () => number = Date.now,
): (title: string) => ComponentProgress {
  const running = new Map<string, () => void>()
  let finished = 0
  return (title) => {
    const since = now()
    const say = (message: string): void => {
      progress(`[${String(finished)}/${String(total)}] ${title}: ${message} (${elapsed(now() - since)})`)
    }
    const tell = (message: string): void => {
      running.set(title, () => {
        say(message)
      })
      say(message)
    }
    tell('starting')
    return {
      tell,
      built: () => {
        running.delete(title)
        finished += 1
        say('built')
        for (const again of running.values()) again()
      },
    }
  }
}

const elapsed = (ms: number): string => {
  const seconds = Math.round(ms / 1000)
  return seconds < 60
    ? `${String(seconds)} s`
    : `${String(Math.floor(seconds / 60))} min ${String(seconds % 60)} s`
}
