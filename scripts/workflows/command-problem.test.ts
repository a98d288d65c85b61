import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { commandProblem, foreignProject, projectAt } from './command-problem.ts'

const project = projectAt(path.resolve(import.meta.dirname, '..', '..'))
const problem = (command: string, where = project): string | undefined =>
  commandProblem(command.split(' '), where)

describe('commandProblem', () => {
  it.each([
    'npm ci',
    'npm test',
    'npm test -- --reporter=junit --outputFile.junit=a/b.xml scripts/readme.test.ts',
    'npm run e2e -- --provider k3s --suite smoke --report-dir artefacts/k3s',
    'npm run e2e:machine -- e2e/machine/ephemeral.e2e.test.ts',
    'npm run slate:diff -- --overlay staging',
    'npx zx bootstrap/up.mjs --plain --provider k3s',
    'bootstrap/down --plain',
    '.ci/run',
    'npx vitest run --root examples/foreign-namespace',
    'apt-get install --yes podman',
  ])('lets pass: %s', (command) => {
    expect(problem(command)).toBeUndefined()
  })

  it.each([
    ['npm run e2ee', 'there is no script e2ee'],
    ['npm link', 'npm link is no command for a job'],
    ['npm run typecheck -- --pretty', 'takes no arguments that could be checked'],
    ['npm run e2e -- --provder k3s', "'--provder'"],
    ['npm run e2e -- --provider k4s', '--provider k4s: there is kind, k3s'],
    ['npm run e2e -- --suite smok', '--suite smok: there is no such suite'],
    ['npm run e2e:machine -- --reportr=junit', '--reportr'],
    [
      'npm run e2e:machine -- e2e/machine/ephemera.e2e.test.ts',
      'e2e/machine/ephemera.e2e.test.ts is not there',
    ],
    ['npm run e2e:mutations -- --one', "'--one'"],
    ['npx zx bootstrap/up.mjs --provder k3s', 'up has no flag --provder'],
    ['npx zx bootstrap/up.mjs --provider k4s', '--provider k4s'],
    ['npx zx bootstrap/upp.mjs', 'bootstrap/upp.mjs is not there'],
    ['node scripts/nothing.mjs', 'scripts/nothing.mjs is not there'],
    ['npx vitest run --nonsense', '--nonsense'],
  ])('refuses: %s', (command, said) => {
    expect(problem(command)).toContain(said)
  })

  it('knows of a foreign repository only that npm has installed something', () => {
    expect(problem('npx vitest run --reporter=junit', foreignProject)).toBeUndefined()
    expect(problem('npx vitest run --reportr=junit', foreignProject)).toContain('--reportr')
    expect(problem('npm run e2e', foreignProject)).toBe('there is no script e2e')
    expect(problem('npx zx bootstrap/up.mjs', foreignProject)).toBe('there is no command bootstrap/up.mjs')
  })
})
