import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { runCommand } from '../../bootstrap/process/run-command.ts'
import { choiceFromEnvironment } from '../harness/cluster.ts'
import { readReport } from '../run/read-report.ts'

const { paths } = choiceFromEnvironment()

it('examples/foreign-namespace proves a system that is not ours', async ({ signal }) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'local-cloud-example-'))
  try {
    await runCommand(
      process.execPath,
      ['node_modules/vitest/vitest.mjs', 'run', '--root', 'examples/foreign-namespace'],
      { cwd: paths.repo, signal, env: { SHOP_REPORT: directory, LOCAL_CLOUD_STATE_DIR: paths.stateDir } },
    )
    const report = readReport(directory)
    expect(report?.totals).toEqual({ pass: 1, fail: 0, 'not-proven': 0, error: 0 })
    expect(report?.tests[0]?.record.controls[0]?.heldMs).toBeGreaterThan(0)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
