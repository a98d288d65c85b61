import path from 'node:path'
import { fileOf } from '../suites.ts'
import { openVitest } from './open-vitest.ts'

/** Titles of the tests of some suites, which are loaded and not run. @throws Error when one cannot be loaded */
export async function testsIn(
  suites: readonly string[],
  pattern?: string,
): Promise<{ suite: string; path: string[] }[]> {
  const vitest = await openVitest({ pattern, silent: true })
  try {
    const specifications = await vitest.getRelevantTestSpecifications(suites.map(fileOf))
    const { testModules, unhandledErrors } = await vitest.collectTests(specifications)
    const broken = [...testModules.flatMap((module) => module.errors()), ...unhandledErrors]
    if (broken.length > 0)
      throw new Error(`The suites cannot be loaded: ${String((broken[0] as { message?: string }).message)}`)
    return testModules.flatMap((module) =>
      [...module.children.allTests()].flatMap((test) =>
        test.options.mode === 'run'
          ? [
              {
                suite: path.basename(module.moduleId, '.e2e.test.ts'),
                path: test.fullName.split(' > '),
              },
            ]
          : [],
      ),
    )
  } finally {
    await vitest.close()
  }
}
