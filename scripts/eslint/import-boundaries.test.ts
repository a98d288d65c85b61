import path from 'node:path'
import { Linter } from 'eslint'
import tseslint from 'typescript-eslint'
import { describe, expect, it } from 'vitest'
import { forbiddenImport, importBoundaries } from './import-boundaries.mjs'

const repository = path.resolve(import.meta.dirname, '..', '..')

function problems(file: string, code: string): string[] {
  const linter = new Linter({ cwd: repository })
  const config: Linter.Config = {
    files: ['**/*.ts'],
    languageOptions: { parser: tseslint.parser },
    plugins: { local: { rules: { 'import-boundaries': importBoundaries } } },
    rules: { 'local/import-boundaries': 'error' },
  }
  return linter.verify(code, [config], path.join(repository, file)).map(({ message }) => message)
}

describe('import-boundaries', () => {
  it.each([
    [
      'bootstrap/plan/plan.ts',
      `import { x } from '../kube/client.ts'`,
      'bootstrap/plan must not import bootstrap/kube',
    ],
    [
      'bootstrap/kube/a.ts',
      `import type { X } from '../steps/run-steps.ts'`,
      'bootstrap/kube must not import bootstrap/steps',
    ],
    [
      'bootstrap/steps/a.ts',
      `import { x } from '../cli/main.ts'`,
      'bootstrap/steps must not import bootstrap/cli',
    ],
    [
      'bootstrap/steps/a.ts',
      `export * from '../report/plain.ts'`,
      'bootstrap/steps must not import bootstrap/report',
    ],
    [
      'bootstrap/engine/a.ts',
      `const x = await import('../steps/x.ts')`,
      'bootstrap/engine must not import bootstrap/steps',
    ],
    [
      'bootstrap/errors/a.ts',
      `export { x } from '../process/redact.ts'`,
      'bootstrap/errors must not import bootstrap/process',
    ],
    ['bootstrap/images/a.ts', `import { x } from '../../e2e/harness/x.ts'`, 'bootstrap must not import e2e'],
    [
      'bootstrap/cli/a.ts',
      `import { x } from '@kubernetes/client-node'`,
      '@kubernetes/client-node is imported in bootstrap/kube only',
    ],
    [
      'e2e/a.ts',
      `await import('@kubernetes/client-node')`,
      '@kubernetes/client-node is imported in bootstrap/kube only',
    ],
    [
      'bootstrap/kube/a.ts',
      `import { x } from '@kubernetes/client-node'`,
      '@kubernetes/client-node is imported lazily: await import(…) or import type',
    ],
  ])('refuses in %s: %s', (file, code, message) => {
    expect(problems(file, code)).toEqual([message])
  })

  it.each([
    [
      'bootstrap/kube/a.ts',
      `import type { X } from '@kubernetes/client-node'; await import('@kubernetes/client-node')`,
    ],
    [
      'bootstrap/kube/a.ts',
      `import type { Emit } from '../report/events.ts'; import { y } from '../process/redact.ts'`,
    ],
    [
      'bootstrap/providers/a.ts',
      `import { x } from '../engine/engine.ts'; import type { StepRun } from '../steps/step.ts'`,
    ],
    ['bootstrap/steps/a.ts', `import { x } from '../providers/provider.ts'; import { y } from 'node:fs'`],
    [
      'bootstrap/cli/a.ts',
      `import { x } from '../report/plain.ts'; import { y } from '../steps/run-steps.ts'`,
    ],
    ['scripts/a.ts', `import { x } from '../bootstrap/steps/run-steps.ts'`],
  ])('lets pass in %s: %s', (file, code) => {
    expect(problems(file, code)).toEqual([])
  })

  it('keeps what runs before the dependencies are installed on its own', () => {
    expect(forbiddenImport('bootstrap/self-setup.mjs', 'bootstrap/state/lock-folder.mjs')).toBeUndefined()
    expect(forbiddenImport('bootstrap/self-setup.mjs', 'bootstrap/state/lock.ts')).toBeDefined()
    expect(forbiddenImport('bootstrap/up.mjs', 'bootstrap/cli/enter.mjs')).toBeUndefined()
    expect(forbiddenImport('bootstrap/up.mjs', 'bootstrap/steps/run-steps.ts')).toBeDefined()
  })
})
