import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { substituteVariables } from './substitute-variables.ts'

const variables = {
  API_SERVER_HOST: 'local-cloud-control-plane',
  API_SERVER_PORT: '6443',
  CGROUP_V2_ROOT: '/sys/fs/cgroup/unified',
  POD_CIDR: '10.244.0.0/16',
  NODE_COUNT: 2,
  SOCKET_LB_HOST_ONLY: 'false' as const,
  HOST_FIREWALL: 'false' as const,
}

const configMap = (data: unknown): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'c' },
  data,
})
const dataAfter = (data: unknown): unknown =>
  substituteVariables([configMap(data)], variables).objects[0]!.data

describe('substituteVariables', () => {
  it('fills in names inside and as the whole of a string, at any depth', () => {
    expect(
      dataAfter({ a: 'https://$(API_SERVER_HOST):$(API_SERVER_PORT)/', list: [{ b: '$(CGROUP_V2_ROOT)' }] }),
    ).toEqual({
      a: 'https://local-cloud-control-plane:6443/',
      list: [{ b: '/sys/fs/cgroup/unified' }],
    })
  })

  it('keeps a number a number only where it is the whole field', () => {
    expect(
      dataAfter({ replicas: '$(NODE_COUNT)', text: '$(NODE_COUNT) nodes', port: '$(API_SERVER_PORT)' }),
    ).toEqual({
      replicas: 2,
      text: '2 nodes',
      port: '6443',
    })
  })

  it('leaves to Kubernetes what is escaped, and to the shell what is no name', () => {
    expect(
      dataAfter({ a: '$$(POD_NAME)', b: '$(cat file)', c: '$HOME ${X}', n: 3, t: true, z: null }),
    ).toEqual({
      a: '$(POD_NAME)',
      b: '$(cat file)',
      c: '$HOME ${X}',
      n: 3,
      t: true,
      z: null,
    })
  })

  it('lists unknown names with their place, and changes nothing of its input', () => {
    const input = [configMap({ list: ['x', '$(NO_SUCH)'] })]
    const before = structuredClone(input)
    const { unknown } = substituteVariables(input, variables)
    expect(unknown).toEqual([{ variable: 'NO_SUCH', place: 'ConfigMap c: data.list[1]' }])
    expect(input).toEqual(before)
  })
})
