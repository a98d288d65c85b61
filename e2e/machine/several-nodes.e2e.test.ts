import { execFile } from 'node:child_process'
import path from 'node:path'
import { expect, it } from 'vitest'
import { ownCluster } from '../harness/own-cluster.ts'
import { readReport } from '../run/read-report.ts'

const repository = path.resolve(import.meta.dirname, '..', '..')

/** What one node leaves without a proof. */
const onSeveralNodes = [
  'slate-disruption: several nodes › pods of the dashboard are spread over the nodes',
  'slate-disruption: several nodes › a drained node gives its pods to another one within the budget',
  'gpu: when there is none left › a node without GPUs takes no pod that asks for one',
]

it.each(['kind', 'k3s'])(
  'three nodes of %s prove what one cannot: spreading, a drain, and nodes without GPUs',
  async (provider) => {
    await using cluster = await ownCluster(`several-${provider}`)
    const flags = ['--provider', provider, '--images', 'packages', '--nodes', '3', '--gpu=mock:4']
    const made = await cluster.command('up', flags)
    expect(made.exitCode, made.stdout.slice(-3_000) + made.stderr.slice(-2_000)).toBe(0)
    const directory = path.join(cluster.stateDir, 'report')
    const words = await new Promise<string>((resolve) => {
      execFile(
        process.execPath,
        [
          ...['scripts/e2e.mjs', '--name', cluster.name, '--state-dir', cluster.stateDir, '--no-up'],
          ...['--report-dir', directory],
          ...['--suite', 'slate-disruption', '--suite', 'gpu'],
        ],
        { cwd: repository, maxBuffer: 64 * 1024 * 1024 },
        (_, stdout, stderr) => {
          resolve(stdout.slice(-4_000) + stderr.slice(-4_000))
        },
      )
    })
    const tests = readReport(directory)?.tests ?? []
    const red = tests.filter(({ verdict }) => verdict === 'fail' || verdict === 'error')
    expect(
      red.map(({ suite, path: titles }) => `${suite}: ${titles.join(' › ')}`),
      words,
    ).toEqual([])
    const proven = tests.flatMap(({ suite, path: titles, verdict }) =>
      verdict === 'pass' ? [`${suite}: ${titles.join(' › ')}`] : [],
    )
    for (const title of onSeveralNodes) expect(proven, words).toContain(title)
  },
  20 * 60_000,
)
