import { defineConfig } from 'vitest/config'

// As e2e/vitest.config.ts has it for the suites that run beside each other.
export default defineConfig({
  test: {
    include: ['*.e2e.test.ts'],
    runner: '../turn-runner.ts',
    pool: 'threads',
    maxWorkers: 3,
    isolate: false,
    testTimeout: 60_000,
    reporters: ['json'],
  },
})
