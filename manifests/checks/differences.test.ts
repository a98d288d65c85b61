import { expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { differences } from './differences.ts'

const deployment = (spec: object): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: { replicas: 1, template: { spec } },
})
const container = (name: string, others: object = {}) => ({ name, image: 'a', ...others })

it('tells nothing of equal objects in another order', () => {
  const [one, other] = [container('a'), container('b')]
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } }
  expect(
    differences(
      [service, deployment({ containers: [one, other] })],
      [deployment({ containers: [other, one] }), service],
    ),
  ).toEqual([])
})

it('names the item, the value that is new and the one that is gone', () => {
  const base = deployment({
    nodeSelector: { gpu: 'true' },
    containers: [container('a', { args: ['x', 'y'] })],
  })
  const other = deployment({ containers: [container('a', { args: ['x', 'z'], tty: true })] })
  expect(differences([base], [other])).toEqual([
    { object: 'Deployment/web', field: 'pod nodeSelector gpu', base: 'true', other: undefined },
    { object: 'Deployment/web', field: 'pod containers a args 1', base: 'y', other: 'z' },
    { object: 'Deployment/web', field: 'pod containers a tty', base: undefined, other: 'true' },
  ])
})

it('has the same words for a pod in a CronJob', () => {
  const cronJob = (image: string): KubeObject => ({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'night' },
    spec: { jobTemplate: { spec: { template: { spec: { containers: [{ name: 'a', image }] } } } } },
  })
  expect(differences([cronJob('x')], [cronJob('y')])).toEqual([
    { object: 'CronJob/night', field: 'pod containers a image', base: 'x', other: 'y' },
  ])
})

it('tells of an object that only one side has', () => {
  expect(differences([], [deployment({})])).toEqual([
    { object: 'Deployment/web', field: 'object', base: undefined, other: 'there' },
  ])
})
