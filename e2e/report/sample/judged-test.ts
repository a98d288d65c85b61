import type { Verdict } from '../../harness/verdict.ts'
import type { TestReport } from '../run-report.ts'

/** A test of the suite `s` with this verdict; unless it passed, its reason is `why TITLE`. */
export const judgedTest = (title: string, verdict: Verdict): TestReport => ({
  suite: 's',
  path: [title],
  verdict,
  startedAt: '2026-01-01T00:00:00.000Z',
  durationMs: 1,
  reasons: verdict === 'pass' ? [] : [{ name: 'X', message: `why ${title}` }],
  record: { controls: [], facts: [] },
})
