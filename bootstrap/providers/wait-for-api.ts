import { setTimeout as delay } from 'node:timers/promises'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { throwIfAborted } from '../process/run-command.ts'
import type { StepRun } from '../steps/step.ts'
import { whyNotReady } from './api-ready.ts'

/** Milliseconds that an API server may take to come back after its node was started. */
const restartMs = 120_000
/** Milliseconds between two looks at the API server. */
const lookMs = 300

export interface ApiWait {
  /** The cluster. */
  name: string
  run: StepRun
  /** A kubeconfig that is known already; else the cluster is asked for it. */
  known?: string | undefined
  kubeconfig: (signal: AbortSignal) => Promise<string>
  /** The nodes' last log lines. */
  evidence: (signal: AbortSignal) => Promise<string[]>
}

/**
 * Returns when the API server answers /readyz from this machine.
 * @throws LocalCloudError API_UNREACHABLE with why not and the nodes' last log lines after two minutes
 */
export async function waitForApi({ name, run, known, kubeconfig, evidence }: ApiWait): Promise<void> {
  const { signal } = run
  const deadline = AbortSignal.timeout(restartMs)
  const either = AbortSignal.any([signal, deadline])
  let config = known
  let why: string | undefined
  for (;;) {
    config ??= await unlessItCannot(kubeconfig, either)
    const seen = config === undefined ? 'its node gives no kubeconfig yet' : await whyNotReady(config, either)
    throwIfAborted(signal)
    if (seen === undefined) return
    if (deadline.aborted) {
      throw new LocalCloudError('API_UNREACHABLE', {
        message: `The API server of ${name} did not answer within ${String(restartMs / 1000)} s: ${why ?? seen}.`,
        hint: 'Run the command again with --recreate, which makes the cluster anew.',
        evidence: await evidence(signal),
      })
    }
    if (seen !== why) run.progress(`waiting for the API server: ${seen}`)
    why = seen
    await delay(lookMs, undefined, { signal: either }).catch(() => undefined)
  }
}

/** Undefined while the node cannot give it. */
async function unlessItCannot(
  kubeconfig: ApiWait['kubeconfig'],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return await kubeconfig(signal)
  } catch (error) {
    if (signal.aborted || (error instanceof LocalCloudError && error.code === 'COMMAND_FAILED'))
      return undefined
    throw error
  }
}
