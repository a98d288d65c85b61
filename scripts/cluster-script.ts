import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { listenForInterruption } from '../bootstrap/cli/interruption.ts'
import { LocalCloudError } from '../bootstrap/errors/local-cloud-error.ts'
import { toLocalCloudError } from '../bootstrap/errors/to-local-cloud-error.ts'
import { clusterName } from '../bootstrap/plan/cluster-name.ts'
import type { Paths } from '../bootstrap/plan/options.ts'
import { chooseReporter } from '../bootstrap/report/choose-reporter.ts'
import { resolvePaths } from '../bootstrap/state/paths.ts'

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/** Flags that every script has which works on a cluster. */
export const clusterFlags = {
  name: { type: 'string', default: 'local-cloud' },
  'state-dir': { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options']

/** How help shows those flags. */
export const clusterHelp = `  --name NAME          name of the cluster (default: local-cloud)
  --state-dir DIR      where the cluster's files are (default: .local-cloud in the checkout; LOCAL_CLOUD_STATE_DIR)
  --json               print JSON, one value a line
  --help               print this help`

type Values<T extends NonNullable<ParseArgsConfig['options']>> = ReturnType<
  typeof parseArgs<{ options: T; args: string[] }>
>['values']

/** `parseArgs`, whose complaints become UNKNOWN_FLAG and BAD_VALUE. `script` names the script in the hint. */
export function parseFlags<const T extends NonNullable<ParseArgsConfig['options']>>(
  argv: readonly string[],
  options: T,
  script: string,
): Values<T> {
  return told(script, () => parseArgs<{ options: T; args: string[] }>({ args: [...argv], options }).values)
}

/** As `parseFlags`, for a script that also takes words without a flag. */
export function parseFlagsAndWords<const T extends NonNullable<ParseArgsConfig['options']>>(
  argv: readonly string[],
  options: T,
  script: string,
): { values: Values<T>; words: string[] } {
  return told(script, () => {
    const parsed = parseArgs<{ options: T; args: string[]; allowPositionals: true }>({
      args: [...argv],
      options,
      allowPositionals: true,
    })
    return { values: parsed.values, words: parsed.positionals }
  })
}

function told<R>(script: string, parse: () => R): R {
  try {
    return parse()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new LocalCloudError(code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? 'UNKNOWN_FLAG' : 'BAD_VALUE', {
      message: message.split('. ')[0] ?? message,
      hint: `All flags: npm run ${script} -- --help`,
    })
  }
}

/** @throws LocalCloudError BAD_VALUE */
export function requireClusterName(name: string): string {
  if (clusterName.test(name)) return name
  throw new LocalCloudError('BAD_VALUE', { message: `--name ${name}: is no name of a cluster.` })
}

/** Paths for the flag `--state-dir`, taken from where the user is. */
export const pathsFor = (stateDir: string | undefined): Paths =>
  resolvePaths(
    repository,
    stateDir === undefined ? {} : { stateDir },
    process.env,
    process.env['INIT_CWD'] ?? process.cwd(),
  )

/** Prints one result on standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/**
 * Runs a script to its end: prints its error as the commands do and sets the exit code, of the error's family or the one that it
 * returned. The first SIGINT, SIGTERM or SIGHUP aborts the signal, later ones have their usual effect.
 */
export async function runScript(
  argv: readonly string[],
  main: (signal: AbortSignal) => Promise<number>,
): Promise<void> {
  const interruption = listenForInterruption(() => {
    interruption.dispose()
  })
  try {
    process.exitCode = await main(interruption.signal)
  } catch (thrown) {
    const error = toLocalCloudError(thrown)
    const json = argv.includes('--json')
    const reporter = await chooseReporter({ json, plain: true, verbose: false }, process)
    reporter.fail(error)
    reporter.close()
    process.exitCode = error.exitCode
  } finally {
    interruption.dispose()
  }
}
