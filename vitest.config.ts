import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

const machineTests = 'e2e/machine/**/*.e2e.test.ts'

export default defineConfig({
  test: {
    // One more than the processors: many tests wait for programs that they started.
    maxWorkers: availableParallelism() + 1,
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{bootstrap,charts,images,manifests,overlays,fixtures,scripts,e2e}/**/*.test.ts',
            '*.test.ts',
          ],
          exclude: ['**/node_modules/**', '**/*.e2e.test.ts', '**/*.api.test.ts', '**/*.machine.test.ts'],
          testTimeout: 20_000,
          hookTimeout: 60_000,
          expect: { poll: { timeout: 10_000 } },
          // A third of the processor time of all of them would be the start of a worker for each file; what a test stubs is put back.
          isolate: false,
          unstubEnvs: true,
          unstubGlobals: true,
          restoreMocks: true,
        },
      },
      {
        test: {
          name: 'machine',
          // Suites that make clusters, registries and API servers of their own, or need a browser.
          include: [
            machineTests,
            '{bootstrap,charts}/**/*.api.test.ts',
            '{fixtures,images,manifests}/**/*.machine.test.ts',
          ],
          fileParallelism: false,
          sequence: { concurrent: false },
          testTimeout: 20 * 60_000,
          hookTimeout: 20 * 60_000,
        },
      },
    ],
  },
})
