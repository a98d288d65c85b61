import { defineConfig } from 'vitest/config'

const machineTests = 'e2e/machine/**/*.e2e.test.ts'

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{bootstrap,charts,images,manifests,overlays,fixtures,scripts,e2e/harness,e2e/report}/**/*.test.ts',
            '*.test.ts',
          ],
          exclude: ['**/node_modules/**', '**/*.e2e.test.ts', '**/*.api.test.ts', '**/*.machine.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'machine',
          // Suites that make clusters, registries and API servers of their own, or need a browser.
          include: [machineTests, '{bootstrap,charts}/**/*.api.test.ts', 'fixtures/**/*.machine.test.ts'],
          fileParallelism: false,
          sequence: { concurrent: false },
          testTimeout: 20 * 60_000,
          hookTimeout: 20 * 60_000,
        },
      },
    ],
  },
})
