import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { readReport } from '../run/read-report.ts'
import type { RunReport } from '../report/run-report.ts'
import { newRunId, runIdVariable } from './run-id.ts'

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

/** A run of the suites by the suites, as somebody types it. */
export interface E2eRun {
  runId: string
  exitCode: number
  report: RunReport | undefined
  /** What it printed, both streams in the order of time. */
  output: string
}

/**
 * Runs `npm run e2e -- FLAGS --no-up` on the same cluster in a process of its own, under a run id of its own. `onOutput` sees all output so
 * far and may interrupt the run as Ctrl-C does.
 */
export async function runE2e(
  flags: readonly string[],
  options: { signal: AbortSignal; onOutput?: (output: string, interrupt: () => void) => void },
): Promise<E2eRun> {
  const directory = mkdtempSync(path.join(tmpdir(), 'local-cloud-e2e-'))
  const runId = newRunId()
  const child = spawn(process.execPath, ['scripts/e2e.mjs', '--no-up', '--report-dir', directory, ...flags], {
    cwd: repository,
    env: { ...process.env, [runIdVariable]: runId },
    signal: options.signal,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      options.onOutput?.(output, () => child.kill('SIGINT'))
    })
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code) => {
        resolve(code ?? -1)
      })
    })
    return { runId, exitCode, report: readReport(directory), output }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
