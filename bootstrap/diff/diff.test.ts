import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { comparable, masked } from './comparable.ts'
import { unifiedDiff } from './unified.ts'

const deployment = (replicas: number, metadata: object = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'a', namespace: 'slate', ...metadata },
  spec: { replicas, template: { spec: { containers: [{ name: 'a', image: 'x:1' }] } } },
})

describe('comparable', () => {
  it('leaves out what the server and its controllers write', () => {
    const live = {
      ...deployment(2, {
        uid: 'u',
        resourceVersion: '7',
        generation: 3,
        creationTimestamp: 'T',
        managedFields: [{}],
        labels: { app: 'a' },
        annotations: { 'deployment.kubernetes.io/revision': '4', ours: 'sha256:1' },
      }),
      status: { replicas: 2 },
    }
    expect(comparable(live, ['ours'])).toEqual(deployment(2, { labels: { app: 'a' } }))
    expect(comparable(live, [])['metadata']).toMatchObject({ annotations: { ours: 'sha256:1' } })
  })

  it('leaves out by what the Job controller finds its pods, and nothing else of a Job', () => {
    const job: KubeObject = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'j' },
      spec: {
        backoffLimit: 3,
        selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u' } },
        template: {
          metadata: { labels: { app: 'j', 'controller-uid': 'u', 'batch.kubernetes.io/job-name': 'j' } },
          spec: { containers: [] },
        },
      },
    }
    expect(comparable(job, [])['spec']).toEqual({
      backoffLimit: 3,
      template: { metadata: { labels: { app: 'j' } }, spec: { containers: [] } },
    })
  })
})

describe('masked', () => {
  const secret = (data: object) => ({ kind: 'Secret', data })

  it('tells of a Secret’s values only whether they differ', () => {
    expect(
      masked(
        secret({ same: 'eA==', other: 'eQ==', gone: 'eg==' }),
        secret({ same: 'eA==', other: 'MQ==', made: 'Mg==' }),
      ),
    ).toEqual([
      secret({ same: '***', other: '*** (before)', gone: '***' }),
      secret({ same: '***', other: '*** (after)', made: '***' }),
    ])
    expect(masked(undefined, secret({ a: 'eA==' }))).toEqual([undefined, secret({ a: '***' })])
    expect(masked(secret({ a: 'eA==' }), undefined)).toEqual([secret({ a: '***' }), undefined])
  })

  it('leaves other kinds as they are', () => {
    const map = { kind: 'ConfigMap', data: { a: 'b' } }
    expect(masked(map, map)).toEqual([map, map])
  })
})

describe('unifiedDiff', () => {
  const clean = (object: KubeObject) => comparable(object, [])

  it('is empty for equal objects, whatever the order of their keys', async () => {
    expect(await unifiedDiff({ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }, 'x')).toBe('')
    expect(await unifiedDiff(undefined, undefined, 'x')).toBe('')
  })

  it('is a unified diff of the YAML', async () => {
    expect(await unifiedDiff(clean(deployment(2)), clean(deployment(4)), 'Deployment/slate/a')).toBe(
      `--- live/Deployment/slate/a
+++ wanted/Deployment/slate/a
@@ -4,7 +4,7 @@
   name: a
   namespace: slate
 spec:
-  replicas: 2
+  replicas: 4
   template:
     spec:
       containers:
`,
    )
  })

  it('shows the whole of what is new or goes', async () => {
    expect(await unifiedDiff(undefined, { a: 1 }, 'x')).toBe(
      '--- live/x\n+++ wanted/x\n@@ -0,0 +1,1 @@\n+a: 1\n',
    )
    expect(await unifiedDiff({ a: 1 }, undefined, 'x')).toContain('-a: 1\n')
  })
})
