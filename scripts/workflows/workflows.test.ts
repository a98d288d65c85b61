import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { foreignProject, projectAt, type Project } from './command-problem.ts'
import { workflowProblems } from './workflow-problems.ts'

/* gitlab-ci-local is a process for each file, and these tests run beside many others. */
const timeout = 60_000

const repository = path.resolve(import.meta.dirname, '..', '..')
const own = projectAt(repository)
const github = '.github/workflows/ci.yml'
const gitlab = '.gitlab-ci.yml'
const files = globSync(['.github/workflows/*', '.gitlab-ci.yml', 'examples/ci/*'], { cwd: repository }).sort()
const read = (file: string): string => readFileSync(path.join(repository, file), 'utf8')
const projectOf = (file: string): Project => (file.startsWith('examples/') ? foreignProject : own)

describe('workflow files', () => {
  it('are those of this repository and the templates for others', () => {
    expect(files).toEqual([github, gitlab, 'examples/ci/github-actions.yml', 'examples/ci/gitlab-ci.yml'])
  })

  it.each(files)('%s is valid, and runs what there is', { timeout }, async (file) => {
    expect(await workflowProblems(file, read(file), projectOf(file))).toEqual([])
  })
})

it('the steps that docs/how-to/use-in-your-ci.md has for a closed network fit into the template', async () => {
  const [, steps = ''] = /```yaml\n([\s\S]*?)```/.exec(read('docs/how-to/use-in-your-ci.md')) ?? []
  expect(steps).toContain('go-version')
  const [line = ''] = /^ +- run: npx vitest run.*\n/m.exec(read('examples/ci/github-actions.yml')) ?? []
  expect(
    await changed('examples/ci/github-actions.yml', [
      line,
      steps.replaceAll(/^/gm, '      ').trimEnd() + '\n',
    ]),
  ).toEqual([])
})

/** What is wrong with a file in which these words are replaced. */
function changed(
  file: string,
  ...changes: readonly (readonly [from: string, to: string])[]
): Promise<string[]> {
  let text = read(file)
  for (const [from, to] of changes) {
    expect(text).toContain(from)
    text = text.replaceAll(from, () => to)
  }
  return workflowProblems(file, text, projectOf(file))
}

describe('a workflow of GitHub is refused', () => {
  it.each([
    [
      'with an unknown key',
      '    timeout-minutes: 30',
      '    timeout-minute: 30',
      "Unexpected value 'timeout-minute'",
    ],
    ['that needs a job that is not there', 'needs: test', 'needs: tests', "unknown job 'tests'"],
    [
      'with an output that no step has',
      'steps.images.outputs.cache-hit',
      'steps.image.outputs.cache-hit',
      'property "image" is not defined',
    ],
    [
      'on a runner that GitHub does not have',
      'ubuntu-24.04',
      'ubuntu-24.05',
      'label "ubuntu-24.05" is unknown',
    ],
    [
      'for an event that does not exist',
      '  pull_request:',
      '  pull_requests:',
      "Unexpected value 'pull_requests'",
    ],
    ['that is no YAML', 'jobs:', 'jobs: [', 'ci.yml (Line: '],
    ['without a time limit', '    timeout-minutes: 30\n', '', 'job test: it has no timeout-minutes'],
    ['without permissions', 'permissions:\n  contents: read\n', '', 'no permissions are stated'],
    [
      'with an action that may change',
      /checkout@\w+ # v7.0.1/.exec(read(github))?.[0] ?? '',
      'checkout@v7',
      'actions/checkout@v7 is not pinned',
    ],
    [
      'with an expression in a script',
      'run: npm ci',
      'run: npm ci ${{ github.ref }}',
      'a script holds an expression',
    ],
    ['with an unknown script', 'npm run e2e --', 'npm run e2ee --', 'job k3s: there is no script e2ee'],
    ['with an unknown flag of e2e', '--no-up', '--not-up', "'--not-up'"],
    ['with an unknown suite', '--suite smoke', '--suite smoking', '--suite smoking: there is no such suite'],
    [
      'with an unknown flag of up',
      '--plain --provider k3s',
      '--plain --providers k3s',
      'up has no flag --providers',
    ],
    [
      'with a test file that is not there',
      'ephemeral.e2e.test.ts',
      'disposable.e2e.test.ts',
      'disposable.e2e.test.ts is not there',
    ],
    [
      'with a cache key of files that are not there',
      "'fixtures/**'",
      "'fixture/**'",
      'fixture/** is not there',
    ],
    [
      'that keeps what nothing writes',
      'path: artefacts/k3s',
      'path: artefacts/k4s',
      'job k3s: artefacts/k4s is kept, but',
    ],
  ])('%s', { timeout }, async (_, from, to, said) => {
    expect((await changed(github, [from, to])).join('\n')).toContain(said)
  })
})

describe('a pipeline of GitLab is refused', () => {
  it.each([
    [
      'with an unknown key',
      'interruptible: true',
      'interruptable: true',
      "'interruptable' property is not expected",
    ],
    [
      'that needs a job that is not there',
      'needs: [test]',
      'needs: [tests]',
      'needs: [tests] for k3s could not be found',
    ],
    ['with a stage that is not there', 'stage: cluster', 'stage: clusters', 'stage:clusters not found'],
    ['without a time limit', '  timeout: 30 minutes\n', '', 'job test: it has no timeout'],
  ])('%s', { timeout }, async (_, from, to, said) => {
    expect((await changed(gitlab, [from, to])).join('\n')).toContain(said)
  })

  it('with an unknown script, an unknown flag, files that are not there', { timeout }, async () => {
    const problems = await changed(
      gitlab,
      ['npm run e2e --', 'npm run e2ee --'],
      ['--output ', '--outputs '],
      ['images/versions.yaml', 'images/version.yaml'],
      ['paths: [artefacts/k3s]', 'paths: [artefacts/k4s]'],
    )
    expect(problems).toEqual([
      expect.stringContaining('job k3s: there is no script e2ee'),
      expect.stringContaining('job k3s: logs has no flag --outputs'),
      'job k3s: images/version.yaml is not there',
      'job k3s: artefacts/k4s is kept, but no command of the job names it',
      'job ephemeral: images/version.yaml is not there',
    ])
  })
})

describe('a template is refused', () => {
  it.each(files.filter((file) => file.startsWith('examples/')))(
    'when it takes something of this repository for granted: %s',
    { timeout },
    async (file) => {
      const problems = await changed(
        file,
        ['npx vitest run', 'npm run e2e -- --suite smoke'],
        ['package-lock.json', 'images/versions.yaml'],
      )
      expect(problems).toEqual([
        expect.stringContaining('there is no script e2e'),
        'job clusters: images/versions.yaml is not there',
      ])
    },
  )
})
