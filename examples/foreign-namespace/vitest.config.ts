import { attach, choiceFromEnvironment, describeEnvironment, reportTo } from 'local-cloud/harness'
import { defineConfig } from 'vitest/config'

const choice = choiceFromEnvironment()

export default defineConfig({
  test: {
    include: ['*.e2e.test.ts'],
    testTimeout: 300_000,
    retry: 0,
    reporters: [
      reportTo({
        directory: process.env['SHOP_REPORT'] ?? `${import.meta.dirname}/report`,
        runId: 'shop',
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
