import path from 'node:path'
import { writeReports } from '../reporter.ts'
import { summaryText } from '../summary-text.ts'
import { sampleReport } from './sample-report.ts'

// For looking at the page: node e2e/report/sample/write-sample.ts DIRECTORY [TESTS]
const [directory = 'e2e-sample-report', tests = '200'] = process.argv.slice(2)
const report = sampleReport(Number(tests))
await writeReports(report, path.resolve(directory))
process.stdout.write(`${summaryText(report, { directory }).join('\n')}\n`)
