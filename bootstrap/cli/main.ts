import { LocalCloudError, exitCodes } from '../errors/local-cloud-error.ts'
import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import { redact } from '../process/redact.ts'
import { chooseReporter } from '../report/choose-reporter.ts'
import { redactEvent } from '../report/redact-event.ts'
import type { Reporter } from '../report/reporter.ts'
import { resolvePaths } from '../state/paths.ts'
import { parseArguments, repository } from './arguments.mjs'
import type { CommandContext, CommandModule } from './command-context.ts'
import { commands, type CommandName } from './commands.mjs'
import { listenForInterruption } from './interruption.ts'

interface CommonOptions {
  json: boolean
  plain: boolean
  verbose: boolean
  stateDir?: string
  cacheDir?: string
}

const isCommand = (name: string): name is CommandName => Object.hasOwn(commands, name)

/**
 * Runs `argv` (command, then its arguments) to its end and returns the exit code; never throws. `--help` and refused
 * arguments are handled by the entry scripts already, but also here.
 */
async function main(argv: readonly string[]): Promise<number> {
  const [name = '', ...rest] = argv
  if (!isCommand(name)) {
    process.stderr.write(`There is no command "${name}"; there are ${Object.keys(commands).join(', ')}.\n`)
    return exitCodes.usage
  }
  const parsed = parseArguments(name, rest)
  if (parsed.kind === 'print') {
    process.stdout.write(parsed.text)
    return 0
  }
  const choices = (parsed.kind === 'run'
    ? parsed.values
    : { json: parsed.json, plain: true, verbose: false }) as unknown as CommonOptions
  const reporter = await chooseReporter(choices, process)
  if (parsed.kind === 'refused') {
    const error = new LocalCloudError(parsed.problem.code, parsed.problem)
    reporter.fail(error)
    return error.exitCode
  }
  const interruption = listenForInterruption(() => {
    reporter.close()
    process.exit(exitCodes.interrupted)
  })
  onDefect(reporter)
  try {
    const context: CommandContext<never> = {
      values: parsed.values as never,
      emit: (event) => {
        reporter.emit(redactEvent(event))
      },
      signal: interruption.signal,
      out: (text) => {
        process.stdout.write(redact(text.endsWith('\n') ? text : `${text}\n`))
      },
      json: choices.json,
      paths: resolvePaths(repository, choices, process.env, process.cwd()),
    }
    const module = (await import(`./${name}.ts`)) as CommandModule
    await module.run(context)
    return 0
  } catch (thrown) {
    const error = ended(thrown, interruption.signal)
    reporter.fail(error)
    return error.exitCode
  } finally {
    reporter.close()
    interruption.dispose()
  }
}

/** After a signal the command ends as interrupted, whatever error the interruption led to. */
function ended(thrown: unknown, signal: AbortSignal): LocalCloudError {
  const error = toLocalCloudError(thrown)
  if (!signal.aborted || error.family === 'interrupted') return error
  return new LocalCloudError('INTERRUPTED', { message: (signal.reason as Error).message, cause: error })
}

/** An error that nobody waited for is a defect: it is shown and ends the process. */
function onDefect(reporter: Reporter): void {
  const end = (thrown: unknown): void => {
    const error = new LocalCloudError('INTERNAL', { message: 'An error was not handled.', cause: thrown })
    reporter.fail(error)
    reporter.close()
    process.exit(error.exitCode)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
  // A reader that closes the pipe (`status | head`) has all it wanted.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    end(error)
  })
}

const written = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => {
    stream.write('', () => {
      resolve()
    })
  })

const exitCode = await main(process.argv.slice(2))
await Promise.all([written(process.stdout), written(process.stderr)])
// Connections kept alive to the API server must not keep the process.
process.exit(exitCode)
