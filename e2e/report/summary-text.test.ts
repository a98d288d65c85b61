import { describe, expect, it } from 'vitest'
import { sampleReport } from './sample/sample-report.ts'
import { summaryText } from './summary-text.ts'

describe('summaryText', () => {
  const lines = summaryText(sampleReport(), { directory: '/r', width: 100 })
  const text = lines.join('\n')

  it('says every criterion with its verdict in words, not green ones in capitals', () => {
    expect(text).toMatch(/^ {2}pass {8}C1 {4}4 {6}2\/2 caught {14}All 7 deployments running$/m)
    expect(text).toMatch(/^ {2}FAIL {8}C2 .*1\/3 caught, 1 SURVIVED/m)
    expect(text).toMatch(/^ {2}NOT PROVEN {2}C3 .*1 not run/m)
  })

  it('keeps the table within its width', () => {
    const table = lines.slice(lines.indexOf('Success criteria'), lines.indexOf('Suites'))
    expect(table.filter((line) => line.length > 100)).toEqual([])
    expect(table.length).toBeGreaterThan(7)
  })

  it('counts by suite', () => {
    expect(text).toMatch(/^ {2}slate-gpu +\. +1 +\. +21 +\d+/m)
  })

  it('names only the squares that are wrong, with their commands', () => {
    expect(text).toContain('SLATE within its namespace: 16 × 20, 2 of 320 squares are not as expected')
    expect(lines.filter((line) => line.includes('measured'))).toHaveLength(3)
    expect(lines.filter((line) => line.includes('kubectl'))).toHaveLength(3)
  })

  it('names red tests with their first cause and evidence, and unproven ones by reason', () => {
    expect(text).toMatch(
      /^ {2}ERROR slate-storage: SLATE › survives \(58\) .*\n {4}exec in slate\/slate-core/m,
    )
    expect(text).toContain('    evidence: evidence/58/ (2 files)')
    expect(text).not.toContain('objects.yaml')
    expect(text).toContain('  This cluster has no GPU. (11)')
    expect(text).toContain('    and 8 more')
  })

  it('ends with the place of the report, has no control characters and stands an empty report', () => {
    expect(lines.at(-1)).toBe('Report: /r/index.html (also report.json and junit.xml)')
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
    expect(summaryText({ ...sampleReport(0), criteria: [] })[0]).toBe('No test ran')
  })
})
