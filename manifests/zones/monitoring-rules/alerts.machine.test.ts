// What Prometheus itself makes of the alerts: needs the programs that images/versions.yaml builds.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parse, stringify } from 'yaml'
import { runCommand } from '../../../bootstrap/process/run-command.ts'
import { resolvePaths } from '../../../bootstrap/state/paths.ts'
import { fires, isSilent } from '../../../e2e/harness/alert-look.ts'
import { eventually } from '../../../e2e/harness/eventually.ts'
import { builtPrometheus, startPrometheus } from '../../../e2e/harness/prometheus-server.ts'
import { readAlertSource } from './alert-source.ts'
import { ruleFile } from './rendered-alerts.ts'
import { ruleGroups, type AlertingRule } from './rule-groups.ts'

const repo = join(import.meta.dirname, '..', '..', '..')
const paths = resolvePaths(repo, {}, process.env, process.cwd())
const source = readAlertSource()
const signal = () => AbortSignal.timeout(60_000)

let folder: string
let promtool: string
let prometheus: string
beforeAll(async () => {
  promtool = builtPrometheus(paths.cacheDir, 'promtool')
  prometheus = builtPrometheus(paths.cacheDir, 'prometheus')
  folder = await mkdtemp(join(tmpdir(), 'zones-alerts-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Runs promtool, whatever it ends with. */
async function tool(...argv: string[]): Promise<{ ok: boolean; output: string }> {
  const { exitCode, stdout, stderr } = await runCommand(promtool, argv, {
    signal: signal(),
    acceptExitCodes: 'any',
  })
  return { ok: exitCode === 0, output: `${stdout}${stderr}` }
}

interface Case {
  alert_rule_test: { exp_alerts?: unknown[] }[]
}

/** Runs the cases over the normal rules, changed or not; all of them, or only what they say of silence. */
async function cases(
  change: (rule: AlertingRule) => AlertingRule = (rule) => rule,
  which: 'all' | 'silent' = 'all',
) {
  const work = await mkdtemp(join(folder, 'cases-'))
  const groups = ruleGroups(source).map((group) => ({
    ...group,
    rules: group.rules
      .map(change)
      .map(({ annotations: { summary }, ...rule }) => ({ ...rule, annotations: { summary } })),
  }))
  await writeFile(join(work, 'zones.yaml'), stringify({ groups }))
  const { tests, ...rest } = parse(await readFile(join(import.meta.dirname, 'cases.yaml'), 'utf8')) as {
    tests: Case[]
  }
  const kept = tests.map((one) => ({
    ...one,
    alert_rule_test: one.alert_rule_test.filter(
      ({ exp_alerts }) => which === 'all' || exp_alerts === undefined,
    ),
  }))
  await writeFile(join(work, 'cases.yaml'), stringify({ ...rest, tests: kept }))
  return tool('test', 'rules', join(work, 'cases.yaml'))
}

describe('promtool', () => {
  it.each(['normal', 'quick'] as const)('accepts the rules with their %s values', async (values) => {
    const file = join(folder, `${values}.yaml`)
    await writeFile(file, ruleFile(ruleGroups(source, values)))
    const { ok, output } = await tool('check', 'rules', '--lint=all', '--lint-fatal', file)
    expect(ok, output).toBe(true)
  })

  it('accepts the configuration, and not one with a field that it does not know', async () => {
    const text = await readFile(join(repo, 'manifests/zones/base/monitoring/config/prometheus.yml'), 'utf8')
    const file = join(folder, 'prometheus.yml')
    await writeFile(file, text)
    const { ok, output } = await tool('check', 'config', '--syntax-only', file)
    expect(ok, output).toBe(true)
    await writeFile(file, text.replace('sample_limit', 'samples_limit'))
    expect(await tool('check', 'config', '--syntax-only', file)).toMatchObject({ ok: false })
  })
})

describe('the cases', () => {
  it('hold', async () => {
    const { ok, output } = await cases()
    expect(ok, output).toBe(true)
  })

  const alerts = source.alerts.map(({ alert }) => alert)
  const breaks: [string, (rule: AlertingRule) => AlertingRule, string[], 'all' | 'silent'][] = [
    ['never fires', (rule) => ({ ...rule, expr: `(${rule.expr}) unless on () vector(1)` }), alerts, 'all'],
    [
      'always fires',
      (rule) => ({ ...rule, expr: `(${rule.expr}) or vector(1)`, for: '0s' }),
      alerts,
      'silent',
    ],
    [
      'fires at once',
      ({ for: _, ...rule }) => rule,
      ruleGroups(source).flatMap(({ rules }) =>
        rules.filter((rule) => rule.for !== undefined).map(({ alert }) => alert),
      ),
      'silent',
    ],
  ]
  for (const [how, change, of, which] of breaks) {
    it.each(of)(`fail when %s ${how}, and name it`, async (alert) => {
      const { ok, output } = await cases((rule) => (rule.alert === alert ? change(rule) : rule), which)
      expect(ok).toBe(false)
      expect(output).toContain(`alertname: ${alert}`)
    })
  }
})

/** Pods of both zones in one server: `/inference` and `/agents` answer with these lines, or not at all. */
async function exporter() {
  const pages: Record<string, string | undefined> = {}
  const server = createServer((request, response) => {
    const page = pages[(request.url ?? '').slice(1)]
    response.writeHead(page === undefined ? 503 : 200, { 'content-type': 'text/plain; version=0.0.4' })
    response.end(page)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { pages, address: `127.0.0.1:${String((server.address() as AddressInfo).port)}` }
}

it(
  'a real Prometheus scrapes both zones, reads the alerts anew when their file changes, and has them fire',
  { timeout: 240_000 },
  async () => {
    const { pages, address } = await exporter()
    const model = (resets: number) =>
      `# TYPE omni_model_loaded gauge\nomni_model_loaded{model="deepseek-v3.2"} 1\n# TYPE omni_gpu_resets_total counter\nomni_gpu_resets_total{gpu="1"} ${String(resets)}\n`
    pages['inference'] = model(0)
    // An agent that says it is a model with a reset GPU is not believed.
    pages['agents'] = `${model(7)}namespaced{namespace="inference"} 1\n`
    const shipped = parse(
      await readFile(join(repo, 'manifests/zones/base/monitoring/config/prometheus.yml'), 'utf8'),
    ) as { scrape_configs: Record<string, unknown>[] }
    const zones = shipped.scrape_configs.find(({ job_name: job }) => job === 'zones')
    const { kubernetes_sd_configs: _, relabel_configs: __, ...settings } = zones ?? {}
    await using server = await startPrometheus(prometheus, {
      rules: ruleFile(ruleGroups(source)),
      scrape: [
        {
          ...settings,
          static_configs: ['inference', 'agents'].map((namespace) => ({
            targets: [address],
            labels: { namespace, pod: `${namespace}-pod`, __metrics_path__: `/${namespace}` },
          })),
        },
      ],
    })
    const { api } = server
    const pace = { timeoutMs: 60_000, intervalMs: 500 }
    await eventually(
      'both zones are scraped',
      async (stop) => {
        const targets = await api.targets(stop).catch(() => [])
        return {
          ok: targets.length === 2 && targets.every(({ health }) => health === 'up'),
          seen: targets
            .map(({ labels, health, error }) => `${String(labels['pod'])} ${health} ${error}`)
            .join(', '),
        }
      },
      pace,
    )
    expect((await api.rules(signal())).map(({ name }) => name)).toEqual(
      source.alerts.map(({ alert }) => alert),
    )
    expect(
      await api.query('count(namespaced{namespace="agents", exported_namespace="inference"})', signal()),
    ).toMatchObject([{ value: 1 }])

    await server.writeRules(ruleFile(ruleGroups(source, 'quick')))
    const seconds = (name: string) => async (stop: AbortSignal) => {
      const rule = (await api.rules(stop)).find((one) => one.name === name)
      return { ok: rule?.forSeconds === 20, seen: `${String(rule?.forSeconds)} s` }
    }
    await eventually('the quick rules are read', seconds('BrainDown'), pace)

    const reset = { name: 'BlackwellGpuReset' }
    const down = { name: 'BrainDown' }
    await eventually('no GPU was reset', isSilent(api, reset), pace)
    pages['inference'] = model(1)
    await eventually(
      'the reset is told',
      fires(api, { ...reset, labels: { pod: 'inference-pod', gpu: '1' } }),
      pace,
    )
    await eventually('the brain is there', isSilent(api, down), pace)
    pages['inference'] = undefined
    await eventually('its absence is told', fires(api, down), pace)
    // Not what is pending, as when a scrape of theirs was late.
    const firing = (await api.alerts(signal())).filter(({ state }) => state === 'firing')
    expect(firing.filter(({ labels }) => labels['namespace'] === 'agents')).toEqual([])
    pages['inference'] = model(1)
    await eventually('its return is told', isSilent(api, down), pace)
  },
)
