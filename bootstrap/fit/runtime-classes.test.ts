import { expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { neededRuntimeClasses } from './runtime-classes.ts'

const deployment = (name: string, runtimeClassName?: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'agents' },
  spec: { template: { spec: { runtimeClassName, containers: [{ name: 'main' }] } } },
})
const runtimeClass = (name: string): KubeObject => ({
  apiVersion: 'node.k8s.io/v1',
  kind: 'RuntimeClass',
  metadata: { name },
  handler: 'runsc',
})
const nightly: KubeObject = {
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'nightly', namespace: 'agents' },
  spec: { jobTemplate: { spec: { template: { spec: { runtimeClassName: 'gvisor' } } } } },
}

it('tells each once, with all who name it', () => {
  const objects = [deployment('one', 'gvisor'), deployment('plain'), nightly, deployment('two', 'kata')]
  expect(neededRuntimeClasses(objects)).toEqual([
    { name: 'gvisor', by: ['Deployment agents/one', 'CronJob agents/nightly'] },
    { name: 'kata', by: ['Deployment agents/two'] },
  ])
})

it('leaves out what the objects bring themselves', () => {
  expect(neededRuntimeClasses([deployment('one', 'gvisor'), runtimeClass('gvisor')])).toEqual([])
  expect(neededRuntimeClasses([deployment('one', 'gvisor'), runtimeClass('kata')])).toHaveLength(1)
  expect(neededRuntimeClasses([deployment('gvisor', 'gvisor')]), 'another kind of that name').toHaveLength(1)
})
