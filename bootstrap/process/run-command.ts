import { execa } from 'execa'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { ErrorCode } from '../errors/catalogue.ts'
import { saysDiskFull } from '../errors/disk-full.ts'
import { redact } from './redact.ts'

export interface CommandOptions {
  signal: AbortSignal
  cwd?: string
  /** Added to the process's own environment; `undefined` removes a variable. */
  env?: Record<string, string | undefined>
  /** Text given to the command's standard input. */
  input?: string
  /** File streamed to the command's standard input. */
  inputFile?: string
  /** Called with every complete line of either stream, for progress output. */
  onLine?: (line: string) => void
  /** Milliseconds after which the command is killed; default: only the signal ends it. */
  timeoutMs?: number
  /** Exit codes that are an answer, not an error. Default: 0 only. `any` accepts all. */
  acceptExitCodes?: readonly number[] | 'any'
  /** Code of the error thrown on failure; default COMMAND_FAILED. */
  errorCode?: ErrorCode
  hint?: string
}

export interface CommandOutput {
  exitCode: number
  stdout: string
  stderr: string
}

const lastLines = (text: string, count: number): string[] => text.trimEnd().split('\n').slice(-count)

const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

/** The command as one line that can be pasted into a shell, secrets removed. */
export const pasteable = (
  file: string,
  argv: readonly string[],
  env: Record<string, string | undefined> = {},
): string =>
  redact(
    [
      ...Object.entries(env).flatMap(([key, value]) =>
        value === undefined ? [] : [`${key}=${quote(value)}`],
      ),
      file,
      ...argv.map((word) => quote(word)),
    ].join(' '),
  )

/**
 * Runs a program to its end and returns both streams.
 * @throws LocalCloudError INTERRUPTED when the signal aborts (its own reason when that is a LocalCloudError), MISSING_TOOL when the
 * program is not installed, NO_DISK_SPACE when it said that a disk is full, else `errorCode` with the pasteable command, the exit code or signal and the last lines of both streams.
 */
export async function runCommand(
  file: string,
  argv: readonly string[],
  options: CommandOptions,
): Promise<CommandOutput> {
  const { signal, env = {} } = options
  throwIfAborted(signal)
  const child = execa(file, argv, {
    cwd: options.cwd ?? process.cwd(),
    env,
    reject: false,
    cancelSignal: signal,
    forceKillAfterDelay: 5_000,
    all: options.onLine !== undefined,
    stripFinalNewline: false,
    maxBuffer: 64 * 1024 * 1024,
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    ...(options.inputFile !== undefined
      ? { inputFile: options.inputFile }
      : options.input !== undefined
        ? { input: options.input }
        : { stdin: 'ignore' as const }),
  })
  if (options.onLine) {
    const { onLine } = options
    void forEachLine(child.iterable({ from: 'all' }), onLine)
  }
  const result = await child
  throwIfAborted(signal)
  const output = {
    exitCode: result.exitCode ?? -1,
    stdout: result.stdout,
    stderr: result.stderr,
  }
  if (result.code === 'ENOENT' && result.exitCode === undefined) {
    throw new LocalCloudError('MISSING_TOOL', {
      message: `The program ${file} is not installed or not on PATH.`,
      cause: result,
    })
  }
  const accepted = options.acceptExitCodes ?? [0]
  // A program may end with 0 when it is told to stop.
  if (
    !result.timedOut &&
    result.exitCode !== undefined &&
    (accepted === 'any' || accepted.includes(result.exitCode))
  )
    return output
  const ending = result.timedOut
    ? `did not end within ${String(options.timeoutMs)} ms`
    : result.signal
      ? `was ended by ${result.signal}`
      : `ended with exit code ${String(result.exitCode ?? result.code)}`
  const full = saysDiskFull(output.stderr) || saysDiskFull(output.stdout)
  throw new LocalCloudError(full ? 'NO_DISK_SPACE' : (options.errorCode ?? 'COMMAND_FAILED'), {
    message: `${file} ${argv[0] ?? ''} ${ending}${full ? ': no space is left on a disk' : ''}`.replace(
      '  ',
      ' ',
    ),
    ...(options.hint === undefined || full ? {} : { hint: options.hint }),
    evidence: [
      `$ ${pasteable(file, argv, env)}`,
      ...lastLines(redact(output.stdout), 10),
      ...lastLines(redact(output.stderr), 20),
    ].filter((line) => line !== ''),
    cause: result,
  })
}

/** Throws the signal's own LocalCloudError, or INTERRUPTED, when it has aborted. */
export function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return
  if (signal.reason instanceof LocalCloudError) throw signal.reason
  throw new LocalCloudError('INTERRUPTED', { message: 'Interrupted.', cause: signal.reason })
}

async function forEachLine(lines: AsyncIterable<string>, onLine: (line: string) => void): Promise<void> {
  try {
    for await (const line of lines) onLine(redact(line))
  } catch {
    // The command's own failure is reported by its result.
  }
}
