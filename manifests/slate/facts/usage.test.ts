import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../bootstrap/kube/client.ts'
import { usageOf } from './usage.ts'

const pod = {
  containers: [
    {
      resources: {
        requests: { cpu: '250m', memory: '1Gi' },
        limits: { cpu: '1', memory: '2Gi', 'nvidia.com/gpu': '1' },
      },
    },
    { resources: { limits: { cpu: '500m' } } },
  ],
  initContainers: [{ resources: { requests: { cpu: '800m' }, limits: { memory: '3Gi' } } }, {}],
}
const workload = (kind: string, template: object): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'x' },
  spec: kind === 'CronJob' ? { jobTemplate: { spec: { template } } } : { template },
})
const gibibyte = 1024 ** 3

describe('what a pod counts against a quota', () => {
  it.each([
    ['pods', 1],
    ['requests.cpu', 800],
    ['limits.cpu', 1500],
    ['requests.memory', 3 * gibibyte],
    ['limits.memory', 3 * gibibyte],
    ['requests.nvidia.com/gpu', 1],
    ['limits.nvidia.com/gpu', 0],
    ['requests.ephemeral-storage', 0],
  ])('%s: %d', (key, amount) => {
    expect(usageOf(workload('Deployment', { spec: pod }), key)).toBe(amount)
    expect(usageOf(workload('CronJob', { spec: pod }), key)).toBe(amount)
  })

  it('is the sum of the containers where that is more than an init container needs', () => {
    expect(usageOf(workload('Job', { spec: { ...pod, initContainers: [] } }), 'requests.cpu')).toBe(750)
  })

  it('is nothing for what makes no pods', () => {
    expect(usageOf({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'x' }, spec: {} }, 'pods')).toBe(0)
  })
})
