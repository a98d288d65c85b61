import { defineConfig } from 'vitest/config'
import { reportTo } from '../reporter.ts'

export default defineConfig({
  test: {
    include: ['*.sample.ts'],
    reporters: [
      reportTo({
        directory: process.env['SAMPLE_REPORT'] ?? '',
        runId: 'sample-1',
        environment: () =>
          process.env['SAMPLE_NO_ENVIRONMENT'] === '1'
            ? Promise.reject(new Error('the API does not answer'))
            : Promise.resolve([{ group: 'Cluster', name: 'Kubernetes', value: 'v1.36.4' }]),
        meantToFail: ({ path }) => path.at(-1) === process.env['SAMPLE_MEANT_TO_FAIL'],
        print: (line) => {
          process.stdout.write(`${line}\n`)
        },
      }),
    ],
  },
})
