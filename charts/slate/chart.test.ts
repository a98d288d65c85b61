import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { runCommand } from '../../bootstrap/process/run-command.ts'
import { at, idOf, listAt, podSpecOf, textAt } from '../../manifests/checks/manifest.ts'
import { helm, renderChart } from './chart.ts'
import { disparities } from './disparities.ts'

const chart = import.meta.dirname
const valuesFiles = ['values-local.yaml', 'values-dev.yaml', 'values-staging.yaml', 'values-prod.yaml']
const signal = () => AbortSignal.timeout(30_000)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'local-cloud-chart-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const ids = (objects: readonly KubeObject[]): string[] => objects.map(idOf).sort()
const one = (objects: readonly KubeObject[], id: string): KubeObject => {
  const found = objects.find((object) => idOf(object) === id)
  if (!found) throw new Error(`${id} is not rendered`)
  return found
}
/** What the defaults render. */
let defaults: KubeObject[]
beforeAll(async () => {
  defaults = await renderChart()
})

/** What `--set` changes against the defaults. */
const changed = async (...set: string[]) => {
  const after = await renderChart({ set })
  return {
    after,
    gone: ids(defaults).filter((id) => !ids(after).includes(id)),
    added: ids(after).filter((id) => !ids(defaults).includes(id)),
    lines: disparities(defaults, after).map((line) =>
      line.replace(' in kustomize', '').replace(' in the chart', ''),
    ),
  }
}

describe('helm', () => {
  it.each(['values.yaml', ...valuesFiles])('lint --strict passes with %s', async (file) => {
    await helm(['lint', '--strict', chart, '--values', join(chart, file)])
  })

  it('package holds all that the folder renders, and none of its tests', async () => {
    await helm(['package', chart, '--destination', folder])
    const { version } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as { version: string }
    const packed = join(folder, `slate-${version}.tgz`)
    const [fromPackage, listing] = await Promise.all([
      renderChart({ chart: packed }),
      runCommand('tar', ['-tzf', packed], { signal: signal() }),
    ])
    expect(disparities(defaults, fromPackage)).toEqual([])
    const files = listing.stdout.trim().split('\n')
    expect(files).toContain('slate/files/slate-model-files/Modelfile.slate-coder')
    expect(
      files.filter((file) => /\.ts$|kustomization|^slate\/files\/slate-dashboard-config/.test(file)),
    ).toEqual([])
  })
})

describe('the values of the guide', () => {
  it('are the defaults', () => {
    const values = parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as object
    // 001 Key Values
    expect(values).toMatchObject({
      dashboard: {
        replicas: 2,
        autoscaling: { enabled: true, minReplicas: 2, maxReplicas: 6 },
        resources: {
          requests: { cpu: '250m', memory: '512Mi' },
          limits: { cpu: '1000m', memory: '2Gi' },
        },
      },
      ollama: {
        enabled: true,
        resources: { limits: { 'nvidia.com/gpu': '1' } },
        persistence: { size: '20Gi' },
      },
      chromadb: { enabled: true, persistence: { size: '5Gi' } },
      gpu: { enabled: true, nodeSelector: { 'nvidia.com/gpu.present': 'true' } },
      agenticSystem: {
        enabled: true,
        agents: {
          ALPHA: { role: 'Coding', gpu: true, model: 'slate-coder' },
          BETA: { role: 'Testing', gpu: true, model: 'slate-fast' },
        },
      },
    })
  })

  it('gpu.enabled=false: no container asks for a GPU, no pod for a node with one', async () => {
    const { gone, added, lines } = await changed('gpu.enabled=false')
    expect([gone, added]).toEqual([[], []])
    expect(lines).toEqual([
      'apps/v1 Deployment/ollama in slate: spec.template.spec.containers.0.resources.limits.[nvidia.com/gpu]: "1", nothing',
      'apps/v1 Deployment/ollama in slate: spec.template.spec.nodeSelector: {"nvidia.com/gpu.present":"true"}, nothing',
    ])
    const prod = await renderChart({ values: ['values-prod.yaml'], set: ['gpu.enabled=false'] })
    expect(JSON.stringify(prod.filter(({ kind }) => kind === 'Deployment'))).not.toContain('nvidia.com/gpu')
    expect(JSON.stringify(await renderChart({ values: ['values-prod.yaml'] }))).toContain('nvidia.com/gpu')
  })

  it('a single dashboard without autoscaler', async () => {
    const { gone, added, lines } = await changed(
      'dashboard.replicas=1',
      'dashboard.autoscaling.enabled=false',
    )
    expect([gone, added]).toEqual([['HorizontalPodAutoscaler/slate-dashboard-hpa'], []])
    expect(lines).toEqual([
      'apps/v1 Deployment/slate-dashboard in slate: spec.replicas: 2, 1',
      'autoscaling/v2 HorizontalPodAutoscaler/slate-dashboard-hpa in slate: only',
    ])
  })

  it('a storage class of one’s own, and other sizes', async () => {
    const claim = (name: string) => `v1 PersistentVolumeClaim/${name} in slate: spec`
    expect((await changed('storage.workspace.storageClass=fast-ssd')).lines).toEqual([
      `${claim('slate-workspace-pvc')}.storageClassName: nothing, "fast-ssd"`,
    ])
    const { lines } = await changed(
      'ollama.persistence.size=40Gi',
      'ollama.persistence.storageClass=big',
      'chromadb.persistence.size=6Gi',
      'storage.data.size=7Gi',
      'storage.memory.storageClass=',
    )
    expect(lines).toEqual([
      `${claim('chroma-data-pvc')}.resources.requests.storage: "5Gi", "6Gi"`,
      `${claim('ollama-data-pvc')}.resources.requests.storage: "20Gi", "40Gi"`,
      `${claim('ollama-data-pvc')}.storageClassName: nothing, "big"`,
      `${claim('slate-data-pvc')}.resources.requests.storage: "5Gi", "7Gi"`,
      `${claim('slate-memory-pvc')}.storageClassName: nothing, ""`,
    ])
  })

  it('more memory for Ollama', async () => {
    const { lines } = await changed('ollama.resources.limits.memory=32Gi')
    expect(lines).toEqual([
      'apps/v1 Deployment/ollama in slate: spec.template.spec.containers.0.resources.limits.memory: "24Gi", "32Gi"',
    ])
  })
})

describe('parts that are switched off', () => {
  it('Ollama, with the jobs that need it', async () => {
    const { gone, lines } = await changed('ollama.enabled=false')
    expect(gone).toEqual([
      'CronJob/slate-codebase-indexer',
      'CronJob/slate-inference-benchmarks',
      'CronJob/slate-model-trainer',
      'Deployment/ollama',
      'Job/slate-model-preload',
      'NetworkPolicy/allow-ollama-from-slate',
      'PersistentVolumeClaim/ollama-data-pvc',
      'PodDisruptionBudget/ollama-pdb',
      'Service/ollama-svc',
    ])
    expect(lines).toHaveLength(gone.length)
    expect(await renderChart({ set: ['ollama.enabled=false'], hooks: true })).toEqual([])
  })

  it('ChromaDB, with the indexer', async () => {
    const { gone, lines } = await changed('chromadb.enabled=false')
    expect(gone).toEqual([
      'CronJob/slate-codebase-indexer',
      'Deployment/chromadb',
      'HorizontalPodAutoscaler/chromadb-hpa',
      'NetworkPolicy/allow-chromadb-from-slate',
      'PersistentVolumeClaim/chroma-data-pvc',
      'Service/chromadb-svc',
    ])
    expect(lines).toHaveLength(gone.length)
  })

  it('the agentic system, with its routes', async () => {
    const { gone, after } = await changed('agenticSystem.enabled=false')
    expect(gone).toEqual([
      'CronJob/slate-workflow-cleanup',
      'Deployment/slate-agent-router',
      'Deployment/slate-autonomous-loop',
      'Deployment/slate-copilot-bridge',
      'Deployment/slate-workflow-manager',
      'PersistentVolumeClaim/slate-memory-pvc',
      'Service/slate-agent-router-svc',
      'Service/slate-autonomous-svc',
      'Service/slate-copilot-bridge-svc',
      'Service/slate-metrics-svc',
      'Service/slate-workflow-svc',
    ])
    const services = ids(after).filter((id) => id.startsWith('Service/'))
    const backends = listAt(one(after, 'Ingress/slate-ingress'), 'spec', 'rules', 0, 'http', 'paths').map(
      (path) => `Service/${textAt(path, 'backend', 'service', 'name')}`,
    )
    expect(backends).toHaveLength(3)
    expect(backends.filter((name) => !services.includes(name))).toEqual([])
  })

  it.each([
    ['mlPipeline.enabled=false', /^(CronJob|Job)\//, 7],
    ['mlPipeline.cronJobs.modelTrainer.enabled=false', /^CronJob\/slate-model-trainer$/, 1],
    ['mlPipeline.preload.enabled=false', /^Job\//, 1],
    ['networkPolicies.enabled=false', /^NetworkPolicy\//, 8],
    ['ingress.enabled=false', /^Ingress\//, 1],
    ['resourceQuota.enabled=false', /^ResourceQuota\//, 1],
    ['limitRange.enabled=false', /^LimitRange\//, 1],
    ['podDisruptionBudgets.enabled=false', /^PodDisruptionBudget\//, 3],
    ['runners.enabled=false', /^(ServiceAccount|Role|RoleBinding)\/slate-runner/, 3],
    ['core.autoscaling.enabled=false', /^HorizontalPodAutoscaler\/slate-core-hpa$/, 1],
    ['clusterScoped.create=false', /^(ClusterRole|PriorityClass)\//, 3],
  ])('%s takes just that away', async (assignment, kinds, count) => {
    const { gone, added, lines } = await changed(assignment)
    expect(gone.filter((id) => !kinds.test(id))).toEqual([])
    expect(gone).toHaveLength(count)
    expect(added).toEqual([])
    expect(lines).toHaveLength(count)
  })
})

describe('a second release on a cluster', () => {
  it('has nothing outside of its namespace, and nothing that names another one', async () => {
    const objects = await renderChart({
      release: 'second',
      namespace: 'elsewhere',
      values: ['values-local.yaml'],
      set: ['clusterScoped.create=false', 'storage.workspace.hostPath=null'],
    })
    expect(objects.length).toBeGreaterThan(50)
    expect([...new Set(objects.map(({ metadata }) => metadata.namespace))]).toEqual(['elsewhere'])
    const bindings = objects.filter(({ kind }) => kind === 'RoleBinding')
    expect(bindings.map((binding) => at(binding, 'subjects', 0, 'namespace'))).toEqual(
      bindings.map(() => 'elsewhere'),
    )
    expect(
      at(one(objects, 'PersistentVolumeClaim/slate-workspace-pvc'), 'spec', 'volumeName'),
    ).toBeUndefined()
  })
})

describe('further values', () => {
  it('tag and pull policy are those of every container of SLATE, the jobs included', async () => {
    const objects = await renderChart({
      set: ['image.tag=9.9.9', 'image.pullPolicy=Always', 'image.pullSecrets={mine}'],
    })
    const pods = objects.flatMap((object) => {
      const template = object.kind === 'CronJob' ? (at(object, 'spec', 'jobTemplate') as KubeObject) : object
      const pod = podSpecOf(template)
      return pod === undefined ? [] : [pod]
    })
    expect(pods).toHaveLength(15)
    expect(pods.filter((pod) => textAt(pod, 'imagePullSecrets', 0, 'name') !== 'mine')).toEqual([])
    const images = pods
      .flatMap((pod) => [...listAt(pod, 'initContainers'), ...listAt(pod, 'containers')])
      .map((container) => `${textAt(container, 'image')} ${textAt(container, 'imagePullPolicy')}`)
      .sort()
    expect([...new Set(images)]).toEqual([
      'docker.io/chromadb/chroma:1.0.0 IfNotPresent',
      'docker.io/ollama/ollama:0.17.4 IfNotPresent',
      'registry.slate.local/slate:9.9.9 Always',
    ])
  })

  it('agents make the routing file', async () => {
    const { after, lines } = await changed(
      'agenticSystem.agents.DELTA.role=Review',
      'agenticSystem.agents.DELTA.model=slate-planner',
      'agenticSystem.routing.default=DELTA',
      'agenticSystem.agents.BETA.model=phi',
    )
    expect(lines).toHaveLength(1)
    const routing = parse(
      textAt(one(after, 'ConfigMap/slate-agent-config'), 'data', 'agent-routing.yaml'),
    ) as object
    expect(routing).toMatchObject({
      default: 'DELTA',
      agents: {
        ALPHA: { role: 'Coding', model: 'slate-coder' },
        BETA: { role: 'Testing', model: 'phi' },
        DELTA: { role: 'Review', model: 'slate-planner' },
      },
    })
  })

  it('a rule for an agent that is not there is refused by name', async () => {
    await expect(renderChart({ set: ['agenticSystem.agents.BETA=null'] })).rejects.toMatchObject({
      evidence: expect.arrayContaining([
        expect.stringContaining('the rule testing names the agent BETA'),
      ]) as unknown,
    })
  })

  it('storage.keep leaves every claim when the release goes', async () => {
    const { after } = await changed('storage.keep=true')
    const claims = after.filter(({ kind }) => kind === 'PersistentVolumeClaim')
    expect(claims.map(({ metadata }) => metadata.annotations)).toEqual(
      Array.from({ length: 5 }, () => ({ 'helm.sh/resource-policy': 'keep' })),
    )
  })
})

describe('the schema', () => {
  it.each([
    ['a typo at the top', 'dashbord.replicas=1', 'dashbord'],
    ['a typo below', 'dashboard.autoscaling.maxReplica=3', 'maxReplica'],
    ['a wrong type', 'dashboard.replicas=two', '/dashboard/replicas'],
    ['a role that would break the file', 'agenticSystem.agents.BETA.role=a: b', '/agents/BETA/role'],
    ['an unknown source of models', 'mlPipeline.baseModels=huge', '/mlPipeline/baseModels'],
    ['a schedule of four fields', 'mlPipeline.cronJobs.modelTrainer.schedule=0 3 * *', 'schedule'],
    ['an amount that is none', 'ollama.persistence.size=20 Gigs', '/ollama/persistence/size'],
  ])('refuses %s and says where', async (_, assignment, place) => {
    await expect(renderChart({ set: [assignment] })).rejects.toMatchObject({
      code: 'RENDER_FAILED',
      evidence: expect.arrayContaining([expect.stringContaining(place)]) as unknown,
    })
  })

  it('describes every value there is', () => {
    const values = parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as object
    const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as {
      properties: object
      additionalProperties: boolean
    }
    expect(schema.additionalProperties).toBe(false)
    expect(Object.keys(schema.properties).sort()).toEqual([...Object.keys(values), 'global'].sort())
  })
})

describe('the hook', () => {
  it('is one Job of no pods that takes the place of the preload Job before an upgrade', async () => {
    const hooks = await renderChart({ hooks: true })
    expect(hooks).toHaveLength(1)
    const [hook] = hooks
    const job = one(defaults, 'Job/slate-model-preload')
    expect(disparities([job], hooks)).toEqual([
      'batch/v1 Job/slate-model-preload in slate: metadata.annotations: nothing in kustomize, {"helm.sh/hook":"pre-upgrade,pre-rollback","helm.sh/hook-delete-policy":"before-hook-creation,hook-succeeded"} in the chart',
      'batch/v1 Job/slate-model-preload in slate: spec.completions: nothing in kustomize, 0 in the chart',
      'batch/v1 Job/slate-model-preload in slate: spec.parallelism: nothing in kustomize, 0 in the chart',
    ])
    expect(hook?.metadata.name).toBe('slate-model-preload')
  })
})

describe('the notes', () => {
  const notes = async (...set: string[]): Promise<string> => {
    const { stdout } = await helm([
      ...['install', 'slate', chart, '--namespace', 'slate', '--dry-run=client', '--output', 'json'],
      ...set.flatMap((assignment) => ['--set', assignment]),
    ])
    return (JSON.parse(stdout) as { info: { notes: string } }).info.notes
  }

  it('tell what is missing: labels of the namespace, Secrets, models', async () => {
    const told = await notes()
    expect(told).toContain('kubectl label namespace slate ')
    expect(told).toContain(' pod-security.kubernetes.io/enforce=baseline ')
    expect(told).toContain('kubectl create secret generic -n slate slate-github-secret --from-literal=token=')
    expect(told).toContain('slate-github-credentials --from-literal=GITHUB_TOKEN=')
    expect(told).toContain('http://slate.local/')
    expect(told).toContain('have to lie on Ollama’s volume')
  })

  it('leave out what is not missing', async () => {
    const told = await notes(
      'namespace.create=true',
      'secrets.create=true',
      'mlPipeline.baseModels=tiny',
      'ingress.enabled=false',
    )
    expect(told).not.toMatch(/label namespace|create secret|slate\.local/)
    expect(told).toContain('The GitHub token is a placeholder')
    expect(told).toContain('stand-ins with random weights')
  })
})
