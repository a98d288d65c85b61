import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { cronTwin, differingFields, manualJob } from './cron-twin.ts'
import { runLabel } from './run-id.ts'
import { manualAnnotation } from './schedule.ts'

const shipped: KubeObject = {
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'nightly', namespace: 'slate', uid: 'one' },
  spec: {
    schedule: '0 0 * * *',
    concurrencyPolicy: 'Forbid',
    suspend: false,
    jobTemplate: {
      metadata: { labels: { app: 'nightly' } },
      spec: {
        backoffLimit: 1,
        template: {
          metadata: { labels: { app: 'nightly' } },
          spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'slate' }] },
        },
      },
    },
  },
}
const options = { namespace: 'space', runId: 'run', name: 'twin', script: 'exit 0' }

describe('cronTwin', () => {
  it('keeps the rules and differs in its pods', () => {
    const twin = cronTwin(shipped, options)
    expect(twin.metadata).toMatchObject({ name: 'twin', namespace: 'space', labels: { [runLabel]: 'run' } })
    expect(differingFields(shipped, twin, { wholePods: true })).toEqual(['pods and their labels'])
  })

  it('takes the other fields that it is told, and says so', () => {
    const twin = cronTwin(shipped, { ...options, spec: { suspend: true }, job: { backoffLimit: 2 } })
    expect(differingFields(shipped, twin, { wholePods: true })).toEqual([
      'jobTemplate spec backoffLimit',
      'pods and their labels',
      'suspend',
    ])
  })

  it('leaves the shipped one as it is', () => {
    const before = structuredClone(shipped)
    cronTwin(shipped, { ...options, spec: { suspend: true } })
    expect(shipped).toEqual(before)
  })
})

it('tells the fields of two pods one by one', () => {
  const other = structuredClone(shipped) as KubeObject & { spec: { schedule: string } }
  other.spec.schedule = '* * * * *'
  expect(differingFields(shipped, other)).toEqual(['schedule'])
  expect(differingFields(shipped, shipped)).toEqual([])
})

it('makes a Job by hand that belongs to the CronJob', () => {
  const job = manualJob(shipped, 'by-hand', 'run')
  expect(job.metadata).toMatchObject({
    namespace: 'slate',
    labels: { app: 'nightly', [runLabel]: 'run' },
    annotations: { [manualAnnotation]: 'manual' },
    ownerReferences: [{ kind: 'CronJob', name: 'nightly', uid: 'one', controller: true }],
  })
  expect(job['spec']).toMatchObject({ backoffLimit: 1 })
})
