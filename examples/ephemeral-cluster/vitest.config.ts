import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    testTimeout: 300_000,
    hookTimeout: 300_000,
    projects: [
      {
        extends: true,
        test: { name: 'a cluster of its own', include: ['tests/own/*.test.ts'] },
      },
      {
        extends: true,
        test: { name: 'a cluster that files share', include: ['tests/reused/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'a cluster of the whole project',
          include: ['tests/shared/*.test.ts'],
          globalSetup: 'tests/shared/global-setup.ts',
        },
      },
    ],
  },
})
