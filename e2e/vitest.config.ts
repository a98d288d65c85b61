import path from 'node:path'
import { defineConfig } from 'vitest/config'
import { attach, choiceFromEnvironment } from './harness/cluster.ts'
import { runId } from './harness/run-id.ts'
import { describeEnvironment } from './report/environment.ts'
import { reportTo } from './report/reporter.ts'
import { reportVariable } from './report/run-report.ts'

const choice = choiceFromEnvironment()

/** The suites that need a cluster; `npm run e2e` prepares it and calls vitest with this file. */
export default defineConfig({
  test: {
    include: ['suites/**/*.e2e.test.ts'],
    // They share one cluster: what one suite breaks on purpose would make another one fail.
    fileParallelism: false,
    // No blind retry: a test that passes only the second time is not green.
    retry: 0,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    teardownTimeout: 60_000,
    reporters: [
      reportTo({
        directory: process.env[reportVariable] ?? path.join(choice.paths.stateDir, 'e2e-report'),
        runId: runId(),
        environment: async () => {
          const signal = AbortSignal.timeout(15_000)
          return describeEnvironment(await attach(choice, signal), signal)
        },
        print: (line) => {
          process.stderr.write(`${line}\n`)
        },
      }),
    ],
  },
})
