import type { Paths, UpOptions } from '../plan/options.ts'
import type { Emit } from '../report/events.ts'

/** What `arguments.mjs` gives for each command; `kubernetesVersion` is absent when not given. */
export type UpValues = Omit<UpOptions, 'paths' | 'kubernetesVersion' | 'addons'> & {
  kubernetesVersion?: string
  addons?: UpOptions['addons']
}
/** By which flags a command is told of an existing cluster that the state directory does not know. */
type AccessValues = Partial<Pick<UpOptions, 'provider' | 'context' | 'kubeconfig'>>
export type DownValues = Pick<UpOptions, 'name' | 'engine' | 'timeoutMs'> &
  AccessValues & {
    all: boolean
    purge: boolean
  }
export type StatusValues = Pick<UpOptions, 'name' | 'engine' | 'timeoutMs'> & AccessValues
export type DoctorValues = Pick<UpOptions, 'engine' | 'timeoutMs'>
export type LogsValues = Pick<UpOptions, 'name' | 'engine' | 'timeoutMs'> & { output?: string }
export type BundleValues = Pick<
  UpOptions,
  'system' | 'environment' | 'images' | 'engine' | 'install' | 'timeoutMs'
> & {
  kubernetesVersion?: string
  output?: string
}

/**
 * What `cli/main.ts` gives a command. A command module is `cli/<command>.ts` with
 * `export async function run(context: CommandContext<UpValues>): Promise<void>`; it throws `LocalCloudError`, never ends the
 * process and never prints but through `emit` and `out`.
 */
export interface CommandContext<Values = Record<string, unknown>> {
  /** Parsed and checked, defaults filled in, paths absolute, durations in milliseconds. */
  values: Values
  emit: Emit
  /** Aborts with a LocalCloudError INTERRUPTED on the first SIGINT, SIGTERM or SIGHUP. The command adds its own deadline. */
  signal: AbortSignal
  /** Prints one result on standard output, ending it with a newline; with `json` it must be one JSON value on one line. */
  out(text: string): void
  /** Whether `--json` was given: results as JSON, one a line. */
  json: boolean
  paths: Paths
}

/** The contract of `cli/<command>.ts`. */
export interface CommandModule {
  run(context: CommandContext<never>): Promise<void>
}
