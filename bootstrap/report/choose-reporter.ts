import { jsonLinesReporter } from './json-lines.ts'
import { plainReporter } from './plain.ts'
import type { Reporter } from './reporter.ts'

export interface ReporterChoices {
  json: boolean
  plain: boolean
  verbose: boolean
}

export interface ReporterWorld {
  env: Record<string, string | undefined>
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
}

/** Which reporter fits: `--json` first; plain when asked for, in CI (the variable CI), without a terminal or on a dumb one. */
export function reporterKind(
  choices: ReporterChoices,
  env: ReporterWorld['env'],
  isTerminal: boolean,
): 'json' | 'plain' | 'terminal' {
  if (choices.json) return 'json'
  const inCi = env['CI'] !== undefined && env['CI'] !== '' && env['CI'] !== 'false'
  return choices.plain || inCi || !isTerminal || env['TERM'] === 'dumb' ? 'plain' : 'terminal'
}

/** The reporter for these choices; JSON goes to standard output, everything else to standard error. */
export async function chooseReporter(choices: ReporterChoices, world: ReporterWorld): Promise<Reporter> {
  switch (reporterKind(choices, world.env, world.stderr.isTTY)) {
    case 'json':
      return jsonLinesReporter(world.stdout, { stack: choices.verbose })
    case 'plain':
      return plainReporter(world.stderr, choices)
    case 'terminal': {
      const { terminalReporter } = await import('./terminal.ts')
      return terminalReporter(world.stderr, choices)
    }
  }
}
