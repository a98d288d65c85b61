import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { gpuVariables } from './gpu-variables.ts'
import { gpuNodeFiles } from './node-files.ts'
import { pluginConfig } from './plugin-config.ts'

const mock = { tier: 'mock', count: 2, strategy: 'cdi-cri', replicas: 1 } as const

it('tells a node of its mock GPUs: settings, devices and the state that the driver reads', () => {
  const files = gpuNodeFiles(mock, 'node-a')
  expect(files['/etc/local-cloud/gpu']).toBe('TIER=mock\nDRIVER_ROOT=/opt/mock-driver\n')
  expect(files['/etc/local-cloud/gpu-devices']).toMatch(/^\/dev\/nvidia1 195 1$/m)
  const uuids = [0, 1].map((index) => files[`/var/lib/local-cloud/mock-gpu/gpus/${index}/uuid`])
  expect(new Set(uuids).size).toBe(2)
  expect(uuids).not.toContain(gpuNodeFiles(mock, 'node-b')['/var/lib/local-cloud/mock-gpu/gpus/0/uuid'])
  expect(files['/var/lib/local-cloud/mock-gpu/gpus/2/product']).toBeNull()
})

it('gives a node with a real card its settings and nothing of the mock', () => {
  expect(gpuNodeFiles({ ...mock, tier: 'real' }, 'node-a')).toEqual({
    '/etc/local-cloud/gpu': 'TIER=real\nDRIVER_ROOT=/\n',
  })
  expect(gpuVariables({ ...mock, tier: 'real' }).GPU_DRIVER_ROOT).toBe('/')
})

it('shares each GPU among as many as are asked for, and refuses more than one to a container', () => {
  expect(parse(pluginConfig({ replicas: 1 }))).toEqual({ version: 'v1' })
  expect(parse(pluginConfig({ replicas: 4 }))).toEqual({
    version: 'v1',
    sharing: {
      timeSlicing: {
        failRequestsGreaterThanOne: true,
        resources: [{ name: 'nvidia.com/gpu', replicas: 4 }],
      },
    },
  })
})
