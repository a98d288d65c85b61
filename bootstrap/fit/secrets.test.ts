import { expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { neededSecrets } from './secrets.ts'

const workload = (kind: string, name: string, spec: object): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'slate' },
  spec: kind === 'CronJob' ? { jobTemplate: { spec: { template: { spec } } } } : { template: { spec } },
})
const env = (name: string, key: string, optional?: boolean) => ({
  containers: [
    {
      env: [{ valueFrom: { secretKeyRef: { name, key, ...(optional === undefined ? {} : { optional }) } } }],
    },
  ],
})
const secret: KubeObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'rendered', namespace: 'slate' },
}

it('gathers the Secrets that pods cannot start without, with their keys and who names them', () => {
  expect(
    neededSecrets([
      secret,
      workload('Deployment', 'a', env('token', 'github')),
      workload('CronJob', 'b', env('token', 'other')),
      workload('Deployment', 'c', {
        containers: [{ envFrom: [{ secretRef: { name: 'all' } }] }],
        volumes: [
          { secret: { secretName: 'file', items: [{ key: 'k' }] } },
          { projected: { sources: [{ secret: { name: 'projected' } }] } },
        ],
      }),
    ]),
  ).toEqual([
    {
      namespace: 'slate',
      name: 'token',
      keys: ['github', 'other'],
      by: ['Deployment slate/a', 'CronJob slate/b'],
    },
    { namespace: 'slate', name: 'file', keys: ['k'], by: ['Deployment slate/c'] },
    { namespace: 'slate', name: 'projected', keys: [], by: ['Deployment slate/c'] },
    { namespace: 'slate', name: 'all', keys: [], by: ['Deployment slate/c'] },
  ])
})

it('leaves out optional ones and those that are rendered', () => {
  expect(
    neededSecrets([
      secret,
      workload('Deployment', 'a', env('rendered', 'x')),
      workload('Deployment', 'b', env('token', 'x', true)),
      workload('Deployment', 'c', { volumes: [{ secret: { secretName: 'file', optional: true } }] }),
    ]),
  ).toEqual([])
})
