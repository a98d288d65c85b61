import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Vitest } from 'vitest/node'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

export interface OpenVitest {
  /** Pattern for the titles of tests, which vitest joins by ` > `; all tests without one. */
  pattern?: string | undefined
  /** Whether nothing is told of the tests, neither to the terminal nor to the report. */
  silent?: boolean
}

/**
 * Vitest in this process with the configuration of the suites, for one run and not to watch files. The caller closes it.
 * @throws whatever vitest throws for a configuration that cannot be loaded
 */
export async function openVitest({ pattern, silent = false }: OpenVitest): Promise<Vitest> {
  const { createVitest } = await import('vitest/node')
  return createVitest({
    root,
    config: path.join(root, 'vitest.config.ts'),
    run: true,
    watch: false,
    // What is only collected shares its modules, and is there in a fraction of the time.
    ...(silent ? { reporters: [{}], isolate: false, maxWorkers: 1 } : {}),
    ...(pattern === undefined ? {} : { testNamePattern: pattern }),
  })
}
