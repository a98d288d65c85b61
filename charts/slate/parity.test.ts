import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { validateObjects } from '../../bootstrap/manifests/validate.ts'
import { checkContract, countFacts } from '../../manifests/slate/check-contract.ts'
import { readContract, type EnvironmentName } from '../../manifests/slate/contract.ts'
import { rendered } from '../../manifests/checks/rendered.ts'
import { renderChart, repo, type ChartOptions } from './chart.ts'
import { disparities } from './disparities.ts'

const contract = readContract()
const environments = Object.keys(contract.environments) as EnvironmentName[]

/** The chart as an environment has it; the base is values.yaml alone. The Namespace is an object of the overlays. */
const chartOf = (environment: EnvironmentName, options: ChartOptions = {}) =>
  renderChart({
    ...options,
    values: environment === 'base' ? [] : [`values-${environment}.yaml`],
    set: ['namespace.create=true', ...(options.set ?? [])],
  })

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'local-cloud-chart-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe.each(environments)('chart and kustomize, environment %s', (environment) => {
  const { render } = contract.environments[environment]
  let kustomize: KubeObject[]
  let chart: KubeObject[]
  beforeAll(async () => {
    ;[kustomize, chart] = await Promise.all([rendered(render), chartOf(environment)])
  })

  it('render the same objects', () => {
    expect(disparities(kustomize, chart)).toEqual([])
    expect(chart.length).toBeGreaterThan(60)
  })

  it('hold every fact of the specification', () => {
    expect(checkContract(contract, environment, chart)).toEqual([])
    const count = countFacts(contract, environment, chart)
    process.stdout.write(
      `SLATE by Helm, ${environment}: ${count} facts of ${chart.length} objects compared\n`,
    )
  })

  it('are valid, and no name in them leads nowhere', () => {
    expect(validateObjects(chart, `charts/slate, ${environment}`)).toEqual([])
  })
})

describe('what is in no overlay', () => {
  it.each([
    ['real-models', 'mlPipeline.baseModels=pull'],
    ['monitoring', 'monitoring.enabled=true'],
  ])('component %s renders as --set %s does', async (component, assignment) => {
    const place = (path: string) => relative(folder, join(repo, 'manifests', 'slate', path))
    writeFileSync(
      join(folder, 'kustomization.yaml'),
      `resources: [${place('base')}]\ncomponents: [${place(`components/${component}`)}]\n`,
    )
    const [kustomize, chart, base] = await Promise.all([
      rendered(relative(repo, folder)),
      chartOf('base', { set: [assignment] }),
      chartOf('base'),
    ])
    expect(disparities(kustomize, chart)).toEqual([])
    expect(disparities(base, chart)).not.toEqual([])
  })
})

describe('the comparison sees', () => {
  /** Kustomize against a copy of the chart in which a file was changed. */
  async function afterChange(file: string, from: string, to: string): Promise<string[]> {
    const copy = join(folder, 'slate')
    const files = join(import.meta.dirname, 'files')
    cpSync(import.meta.dirname, copy, { recursive: true, filter: (source) => source !== files })
    // A link to the manifests, which the copy must not reach.
    cpSync(realpathSync(files), join(copy, 'files'), { recursive: true })
    const text = readFileSync(join(copy, file), 'utf8')
    expect(text.split(from)).toHaveLength(2)
    writeFileSync(join(copy, file), text.replace(from, to))
    const [kustomize, chart] = await Promise.all([
      rendered(contract.environments.base.render),
      chartOf('base', { chart: copy }),
    ])
    return disparities(kustomize, chart)
  }

  it('a changed value, and nothing else', async () => {
    expect(await afterChange('values.yaml', "schedule: '0 6 * * 0'", "schedule: '0 7 * * 0'")).toEqual([
      'batch/v1 CronJob/slate-inference-benchmarks in slate: spec.schedule: "0 6 * * 0" in kustomize, "0 7 * * 0" in the chart',
    ])
  })

  it('a changed file of a ConfigMap', async () => {
    const [line, ...more] = await afterChange(
      'files/slate-model-files/Modelfile.slate-fast',
      'temperature 0.2',
      'temperature 0.9',
    )
    expect(line).toContain('v1 ConfigMap/slate-model-files in slate: data.[Modelfile.slate-fast]: ')
    expect(more).toEqual([])
  })

  it('an object that a template no longer renders', async () => {
    expect(await afterChange('templates/quota.yaml', 'with .Values.resourceQuota', 'with dict')).toEqual([
      'v1 ResourceQuota/slate-resource-quota in slate: only in kustomize',
    ])
  })
})
