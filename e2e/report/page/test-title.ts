import type { TestReport } from '../run-report.ts'
import { markup, type Markup } from './markup.ts'

/** The titles of a test, those above it quieter than its own. */
export const testTitle = ({ path }: Pick<TestReport, 'path'>): Markup =>
  markup`${path.map((part, index) =>
    index === path.length - 1 ? markup`${part}` : markup`<span class="parent">${part} ›</span> `,
  )}`
