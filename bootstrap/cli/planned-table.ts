import { textTable } from './text-table.ts'
import type { PlannedStep } from '../report/events.ts'

/** Steps with their states and reasons, one a row. */
export function plannedTable(steps: readonly PlannedStep[]): Promise<string> {
  return textTable(
    ['step', 'state', 'why'],
    steps.map(({ title, state, reason }) => [title, state, reason]),
  )
}
