import { describe, expect, it } from 'vitest'
import { parsePrometheusText } from '../../../e2e/harness/prometheus-text.ts'
import { createLog } from '../../../fixtures/images/shared/log.ts'
import { startOrchestrator } from '../../../fixtures/images/agents/agents/orchestrator/start-orchestrator.ts'
import { startMetacognition } from '../../../fixtures/images/agents/agents/metacognition/start-metacognition.ts'
import { createServerMetrics } from '../../../fixtures/images/model-server/server/server-metrics.ts'
import { readAlertSource } from './alert-source.ts'

const { metrics } = readAlertSource()
const log = createLog('error', {}, () => undefined)
const own = { OMNI_PORT: '0', OMNI_BIND_ADDRESS: '127.0.0.1', OMNI_DRAIN_MS: '0' }

/** What a model server serves that has answered once. */
function ofModelServer(): string {
  const served = createServerMetrics({ model: 'm', gpus: ['0', '1'], memoryLimitBytes: 1 }, () => ({
    phase: 'loaded',
    digest: '',
    bytes: 1,
    loadSeconds: 1,
  }))
  served.observe(200, 0.2)
  return served.render()
}

async function ofAgents(): Promise<string[]> {
  const orchestrator = await startOrchestrator({ ...own, OMNI_BRAINS: 'm=http://127.0.0.1:1' }, log)
  const metacognition = await startMetacognition({ ...own, OMNI_BRAIN_NAMES: 'm' }, log)
  try {
    return await Promise.all(
      [orchestrator, metacognition].map(async ({ port }) =>
        (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text(),
      ),
    )
  } finally {
    await Promise.all([orchestrator.stop(), metacognition.stop()])
  }
}

const servedBy = {
  inference: [parsePrometheusText(ofModelServer())],
  agents: (await ofAgents()).map(parsePrometheusText),
}

describe('what the rules stand on', () => {
  it.each(Object.entries(metrics))('%s is served, of its type and with its labels', (name, declared) => {
    const family = servedBy[declared.from].map((one) => one.get(name)).find((one) => one !== undefined)
    expect(family?.type).toBe(declared.type)
    for (const { labels } of family?.samples ?? [])
      expect(Object.keys(labels).filter((label) => label !== 'le')).toEqual(Object.keys(declared.labels))
    for (const [label, values] of Object.entries(declared.labels))
      if (values !== 'any')
        expect(new Set(family?.samples.map(({ labels }) => labels[label]))).toEqual(new Set(values))
    if (declared.buckets) {
      const bounds = new Set(family?.samples.flatMap(({ labels }) => labels['le'] ?? []))
      expect([...bounds]).toEqual([...declared.buckets.map(String), '+Inf'])
    }
  })

  it('counts resets and tasks from 0 on, so that the first one is an increase', () => {
    const zero = (name: string, from: 'inference' | 'agents') =>
      servedBy[from].flatMap((one) => one.get(name)?.samples.map(({ value }) => value) ?? [])
    expect(zero('omni_gpu_resets_total', 'inference')).toEqual([0, 0])
    expect(zero('omni_tasks_total', 'agents')).toEqual([0, 0])
  })
})
