import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parse } from 'yaml'
import { runCommand } from '../../bootstrap/process/run-command.ts'
import type { CiFile, CiJob } from './ci-job.ts'

interface Job {
  before_script?: readonly string[]
  script?: readonly string[]
  after_script?: readonly string[]
  timeout?: string
  cache?: readonly { key?: { files?: readonly string[] } }[]
  artifacts?: { paths?: readonly string[]; reports?: { junit?: string | readonly string[] } }
}

/** Milliseconds that the check of one file may take. */
const checkMs = 30_000

/**
 * What gitlab-ci-local finds in a pipeline file: GitLab's own JSON schema, which it carries, stages and needs that do not exist; what our rules ask beyond
 * that (a time limit for every job); and its jobs, with what they extend. Nothing of the file is run.
 */
export async function readGitlabPipeline(text: string): Promise<CiFile> {
  // It writes beside the file, and takes variables from the user's home.
  const folder = await mkdtemp(path.join(tmpdir(), 'gitlab-pipeline-'))
  try {
    await writeFile(path.join(folder, '.gitlab-ci.yml'), text)
    const { exitCode, stdout, stderr } = await runCommand(
      process.execPath,
      [createRequire(import.meta.url).resolve('gitlab-ci-local'), '--preview', '--home', folder],
      { cwd: folder, timeoutMs: checkMs, signal: AbortSignal.timeout(checkMs), acceptExitCodes: 'any' },
    )
    if (exitCode !== 0) return { problems: refusalIn(stderr), jobs: [] }
    // Beside jobs there are keywords, as stages and workflow.
    const jobs = Object.entries(parse(stdout) as Record<string, Job>).filter(
      ([, { script }]) => script !== undefined,
    )
    return {
      problems: jobs
        .filter(([, { timeout }]) => timeout === undefined)
        .map(([name]) => `job ${name}: it has no timeout`),
      jobs: jobs.map(([name, job]) => jobOf(name, job)),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The problems in what it prints: a list, or the last line, after what it says about a missing repository. */
function refusalIn(stderr: string): string[] {
  const [said = ''] = stderr.split('For further troubleshooting')
  const lines = said.split('\n').filter((line) => line.trim() !== '')
  const listed = lines.filter((line) => /^\s*•/.test(line))
  return (listed.length > 0 ? listed : lines.slice(-1)).map((line) => line.replace(/^\s*•\s*/, ''))
}

function jobOf(name: string, job: Job): CiJob {
  const { artifacts } = job
  return {
    name,
    scripts: [...(job.before_script ?? []), ...(job.script ?? []), ...(job.after_script ?? [])],
    reads: (job.cache ?? []).flatMap(({ key }) => key?.files ?? []),
    keeps: [...(artifacts?.paths ?? []), ...[artifacts?.reports?.junit ?? []].flat()],
  }
}
