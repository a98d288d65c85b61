import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(path.join(tmpdir(), 'turns-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

interface JsonReport {
  success: boolean
  testResults: {
    name: string
    assertionResults: { ancestorTitles: string[]; title: string; duration: number }[]
  }[]
}

describe('suites beside one that loads the cluster', () => {
  let log: string[]
  let report: JsonReport
  beforeAll(async () => {
    const [file, json] = [path.join(folder, 'log'), path.join(folder, 'report.json')]
    const vitest = path.resolve('node_modules/vitest/vitest.mjs')
    const argv = ['run', '--root', path.resolve('e2e/run/sample-turns'), `--outputFile.json=${json}`]
    await promisify(execFile)(process.execPath, [vitest, ...argv], {
      env: { ...process.env, SAMPLE_LOG: file },
    })
    report = JSON.parse(readFileSync(json, 'utf8')) as JsonReport
    log = readFileSync(file, 'utf8').trim().split('\n')
  }, 120_000)

  const isEndOfLoad = (line: string): boolean => line.startsWith('load ends')
  const duringLoad = (): string[] => log.slice(log.indexOf('load begins') + 1, log.findIndex(isEndOfLoad))
  /** How long it took by its own clock, milliseconds. */
  const ownTime = (name: string): number => {
    const words = `${name} ends after `
    return Number.parseInt(log.find((line) => line.startsWith(words))?.slice(words.length) ?? '', 10)
  }

  it('all pass, before the load and after it', () => {
    expect(report.success).toBe(true)
    const smoke = (line: string): boolean => line.startsWith('smoke ')
    expect(log.slice(0, log.indexOf('load begins')).filter(smoke).length).toBeGreaterThan(0)
    expect(log.slice(log.findIndex(isEndOfLoad)).filter(smoke).length).toBeGreaterThan(0)
  })

  it('no test that minds load is at work while there is some', () => {
    expect(duringLoad().filter((line) => line.startsWith('smoke'))).toEqual([])
  })

  it('tests that do not mind it go on', () => {
    expect(duringLoad().filter((line) => line.startsWith('rules')).length).toBeGreaterThan(5)
  })

  it('what a test waits for is no part of its time', () => {
    const smoke = report.testResults.find(({ name }) => name.endsWith('smoke.e2e.test.ts'))
    expect(smoke?.assertionResults).toHaveLength(12)
    for (const { ancestorTitles, title, duration } of smoke?.assertionResults ?? []) {
      const name = `smoke ${ancestorTitles.at(-1)?.slice('part '.length) ?? ''}${title}`
      expect(duration - ownTime(name), name).toBeLessThan(ownTime('load') * 0.9)
    }
  })
})
