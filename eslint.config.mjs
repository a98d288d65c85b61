import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'
import { importBoundaries } from './scripts/eslint/import-boundaries.mjs'

export default defineConfig(
  // The example is a project of its own, checked in its own place by e2e/machine/package.
  { ignores: ['node_modules/**', '.local-cloud/**', 'coverage/**', 'examples/ephemeral-cluster/**'] },
  {
    files: ['**/*.ts', '**/*.mjs'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: 'tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { local: { rules: { 'import-boundaries': importBoundaries } } },
    rules: {
      'local/import-boundaries': 'error',
      'no-console': 'error',
      // There are no enums (erasableSyntaxOnly), objects of libraries are made as literals, and `void` is written where
      // it says something; these three cost a fifth of the whole.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      eqeqeq: 'error',
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'exit',
          message: 'Only bootstrap/cli/main.ts and scripts/e2e-main.ts end the process.',
        },
      ],
      // Promise-returning contracts are met by functions that happen not to wait.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    // These rules do not see the casts of JSDoc; tsc checks the same files with them.
    files: ['**/*.mjs'],
    rules: { '@typescript-eslint/no-unsafe-assignment': 'off', '@typescript-eslint/no-unsafe-return': 'off' },
  },
  { files: ['bootstrap/cli/main.ts', 'scripts/e2e-main.ts'], rules: { 'no-restricted-properties': 'off' } },
  { files: ['bootstrap/{cli,report}/**', 'scripts/**'], rules: { 'no-console': 'off' } },
  // Programs of their own, which end their own process.
  { files: ['fixtures/**'], rules: { 'no-restricted-properties': 'off', 'no-console': 'off' } },
  {
    files: ['**/*.test.ts'],
    rules: { 'local/import-boundaries': 'off', '@typescript-eslint/no-non-null-assertion': 'off' },
  },
)
