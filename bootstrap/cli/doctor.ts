import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { detectHostLimits } from '../host/host-limits.ts'
import type { CommandContext, DoctorValues } from './command-context.ts'
import { commandDeadline } from './command-deadline.ts'
import { gatherFacts, judge, type DoctorFacts } from './doctor-checks.ts'
import { textTable } from './text-table.ts'

/**
 * `doctor`: every prerequisite with what is there, a verdict and what to do about it.
 * @throws LocalCloudError PREREQUISITES_NOT_MET when one that is needed is not met.
 */
export async function run(context: CommandContext<DoctorValues>): Promise<void> {
  const { paths, values } = context
  const deadline = commandDeadline('doctor', values.timeoutMs, context.signal)
  try {
    const facts = await gatherFacts({
      paths,
      signal: deadline.signal,
      limits: detectHostLimits(),
      openEngine: async () => {
        const { openEngine } = await import('../engine/detect-engine.ts')
        const emit = (): void => undefined
        return openEngine({ choice: values.engine, paths, install: false, emit, signal: deadline.signal })
      },
    })
    await tell(context, facts)
  } finally {
    deadline.dispose()
  }
}

/** Prints the findings and throws when one of them fails. */
export async function tell(context: Pick<CommandContext, 'out' | 'json'>, facts: DoctorFacts): Promise<void> {
  const findings = judge(facts)
  const failed = findings.filter(({ verdict }) => verdict === 'fail')
  context.out(
    context.json
      ? JSON.stringify({ type: 'result', command: 'doctor', ok: failed.length === 0, findings })
      : await textTable(
          ['check', 'verdict', 'seen', 'remedy'],
          findings.map(({ check, verdict, seen, remedy }) => [check, verdict, seen, remedy]),
        ),
  )
  if (failed.length === 0) return
  throw new LocalCloudError('PREREQUISITES_NOT_MET', {
    message: `${String(failed.length)} of ${String(findings.length)} prerequisites are not met: ${failed.map(({ check }) => check).join(', ')}.`,
    evidence: failed.map(({ check, seen, remedy }) => `${check}: ${seen}. ${remedy}`),
  })
}
