import { commandProblem, type Project } from './command-problem.ts'
import { shellCommands } from './shell-commands.ts'

/** What a job of a workflow or pipeline does, in terms that GitHub and GitLab share. */
export interface CiJob {
  name: string
  /** Shell scripts, in order. */
  scripts: readonly string[]
  /** Paths and patterns of files that must be in the repository, relative to it. */
  reads: readonly string[]
  /** Paths that are kept as artefacts. */
  keeps: readonly string[]
}

/** What was read of a workflow file; no jobs where it is too wrong to have any. */
export interface CiFile {
  problems: readonly string[]
  jobs: readonly CiJob[]
}

/** What no schema can find: commands, scripts and flags that do not exist, files that are not there, artefacts that nothing writes. */
export function jobProblems({ name, scripts, reads, keeps }: CiJob, project: Project): string[] {
  const commands = scripts.flatMap(shellCommands)
  const written = commands
    .filter(([program]) => program !== 'mkdir')
    .flat()
    .flatMap((word) => [word, word.slice(word.indexOf('=') + 1)])
  return [
    ...commands.flatMap((words) => {
      const problem = commandProblem(words, project)
      return problem === undefined ? [] : [`${problem} (${words.join(' ')})`]
    }),
    ...reads.filter((path) => !project.exists(path)).map((path) => `${path} is not there`),
    ...keeps
      .filter((path) => !written.some((word) => within(word, path) || within(path, word)))
      .map((path) => `${path} is kept, but no command of the job names it`),
  ].map((problem) => `job ${name}: ${problem}`)
}

const within = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(`${folder.replace(/\/$/, '')}/`)
