import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { configDigestAnnotation, withConfigDigests } from './config-digest.ts'

const config = (data: Record<string, string>, namespace = 'ns'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'config', namespace },
  data,
})
const workload: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agent', namespace: 'ns' },
  spec: {
    template: {
      metadata: { annotations: { kept: 'yes' } },
      spec: { volumes: [{ name: 'v', configMap: { name: 'config' } }] },
    },
  },
}

function annotations(objects: KubeObject[]): Record<string, string> {
  const found = withConfigDigests(objects).find(({ kind }) => kind === 'DaemonSet')
  return (found!.spec as { template: { metadata: { annotations: Record<string, string> } } }).template
    .metadata.annotations
}

describe('withConfigDigests', () => {
  it('marks the pods with a digest that follows the contents, not the order of keys', () => {
    const one = annotations([config({ a: '1', b: '2' }), workload])
    expect(one).toMatchObject({
      kept: 'yes',
      [configDigestAnnotation]: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    })
    expect(annotations([config({ b: '2', a: '1' }), workload])).toEqual(one)
    expect(annotations([config({ a: '1', b: '3' }), workload])).not.toEqual(one)
  })

  it('leaves a workload alone whose ConfigMap is not among the objects, or is in another namespace', () => {
    expect(annotations([workload])).toEqual({ kept: 'yes' })
    expect(annotations([config({ a: '1' }, 'other'), workload])).toEqual({ kept: 'yes' })
  })
})
