import { globSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { createCLI } from 'vitest/node'
import { parseArguments } from '../../bootstrap/cli/arguments.mjs'
import { commands, type CommandName } from '../../bootstrap/cli/commands.mjs'
import { criteriaOf, systemsWithCriteria } from '../../e2e/criteria/criteria.ts'
import { mutations } from '../../e2e/mutations/catalogue.ts'
import { suites } from '../../e2e/suites.ts'
import { parseMutationOptions } from '../e2e-mutations-options.ts'
import { parseOptions } from '../e2e-options.ts'
import { parseDiffOptions } from '../slate-diff-options.ts'
import { parseForwardOptions } from '../slate-forward-options.ts'
import { parseSwitchOptions } from '../zones-switch-options.ts'

/** The repository that a command is run in. */
export interface Project {
  /** Names of the scripts of its package.json. */
  scripts: readonly string[]
  /** What lies at its top and is no result of a run: a word that begins with one of these is a path. */
  roots: readonly string[]
  /** Whether a path or pattern, relative to it, leads to something. */
  exists: (pattern: string) => boolean
}

/** A checkout of ours, as it lies there. */
export function projectAt(root: string): Project {
  const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')
  const ignored = read('.gitignore')
    .split('\n')
    .map((line) => line.replace(/\/$/, ''))
  return {
    scripts: Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts),
    roots: readdirSync(root).filter((name) => name !== '.git' && !ignored.includes(name)),
    exists: (pattern) => globSync(pattern, { cwd: root }).length > 0,
  }
}

/** What is known of every repository that installs a package with npm. */
export const foreignProject: Project = {
  scripts: [],
  roots: [],
  exists: (file) => ['package.json', 'package-lock.json'].includes(file),
}

/** What `npm run SCRIPT --` is given goes to these; they throw when they do not take it. */
const parsers: Readonly<Record<string, (argv: string[]) => unknown>> = {
  test: vitestArguments,
  'e2e:machine': vitestArguments,
  e2e: (argv) =>
    parseOptions(argv, {
      suites,
      criteria: new Map(
        systemsWithCriteria()
          .flatMap(criteriaOf)
          .map(({ id, tests }) => [id, tests]),
      ),
    }),
  'e2e:mutations': (argv) => parseMutationOptions(argv, mutations),
  'slate:diff': parseDiffOptions,
  'slate:forward': parseForwardOptions,
  'zones:switch': parseSwitchOptions,
}

/** Commands of npm that a job may use, beside `run`. */
const npmCommands = ['ci', 'install', 'test']

/**
 * Why a command cannot work: a path, script, command or flag that does not exist, judged by the tool's own parsers. Undefined when it can, and for
 * programs that are not ours.
 */
export function commandProblem(words: readonly string[], project: Project): string | undefined {
  const missing = words.find(
    (word) => project.roots.includes(word.split('/')[0] ?? '') && !project.exists(word),
  )
  if (missing !== undefined) return `${missing} is not there`
  const [program, ...rest] = words
  if (program === 'npm') return npmProblem(rest, project)
  if (program === 'npx' && rest[0] === 'vitest') return refusal(vitestArguments, rest.slice(1))
  const tool = words.findIndex((word) => /^bootstrap\/\w+(\.mjs)?$/.test(word))
  return tool === -1 ? undefined : toolProblem(words.slice(tool), project)
}

function npmProblem(words: readonly string[], project: Project): string | undefined {
  const [command = '', name = ''] = words
  if (command !== 'run' && !npmCommands.includes(command)) return `npm ${command} is no command for a job`
  const script = command === 'run' ? name : command
  if (command === 'run' || command === 'test') {
    if (!project.scripts.includes(script)) return `there is no script ${script}`
    const separator = words.indexOf('--')
    if (separator === -1) return undefined
    const parser = parsers[script]
    if (parser === undefined) return `npm run ${script} takes no arguments that could be checked`
    return refusal(parser, words.slice(separator + 1))
  }
  return undefined
}

function toolProblem([script = '', ...argv]: readonly string[], project: Project): string | undefined {
  const name = path.basename(script, '.mjs')
  if (!project.exists(script) || !Object.hasOwn(commands, name)) return `there is no command ${script}`
  const parsed = parseArguments(name as CommandName, argv)
  return parsed.kind === 'refused' ? parsed.problem.message : undefined
}

/** @throws Error when vitest does not know an option */
function vitestArguments(argv: readonly string[]): void {
  const cli = createCLI()
  cli.parse(['node', 'vitest', ...(argv[0] === 'run' ? argv : ['run', ...argv])], { run: false })
  cli.matchedCommand?.checkUnknownOptions()
}

function refusal(parser: (argv: string[]) => unknown, argv: readonly string[]): string | undefined {
  try {
    parser([...argv])
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
