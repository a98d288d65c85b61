import { defineConfig } from 'vitest/config'
import { reportTo } from '../../report/reporter.ts'
import { refusedOnShared } from '../../suites.ts'

// As e2e/vitest.config.ts has it for the profile shared.
export default defineConfig({
  test: {
    include: ['*.e2e.test.ts'],
    runner: '../shared-runner.ts',
    pool: 'threads',
    reporters: [
      reportTo({
        directory: process.env['SAMPLE_REPORT'] ?? '',
        runId: 'sample-1',
        environment: () => Promise.resolve([]),
        refused: (test) => refusedOnShared(test),
        print: (line) => {
          process.stdout.write(`${line}\n`)
        },
      }),
    ],
  },
})
