import { expect, it } from 'vitest'
import { gpuHolders } from './gpu-holders.ts'

const pod = (name: string, status: object | undefined, ...gpus: (string | undefined)[]) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    containers: gpus.map((count) =>
      count === undefined ? {} : { resources: { limits: { 'nvidia.com/gpu': count } } },
    ),
  },
  ...(status === undefined ? {} : { status }),
})

it('counts the GPUs of pods that run or are still to, over all containers, and of no others', () => {
  expect(
    gpuHolders([
      pod('two', { phase: 'Running' }, '1', undefined, '1'),
      pod('waits', { phase: 'Pending' }, '1'),
      pod('fresh', undefined, '2'),
      pod('done', { phase: 'Succeeded' }, '1'),
      pod('failed', { phase: 'Failed' }, '1'),
      pod('none', { phase: 'Running' }, undefined),
    ]),
  ).toEqual([
    { name: 'two', gpus: 2, given: [] },
    { name: 'waits', gpus: 1, given: [] },
    { name: 'fresh', gpus: 2, given: [] },
  ])
})

it('names the healthy GPUs that a pod was given, and nothing else that it was given', () => {
  const containerStatuses = [
    {
      allocatedResourcesStatus: [
        { name: 'nvidia.com/gpu', resources: [{ resourceID: 'GPU-a', health: 'Healthy' }] },
        { name: 'example.com/nic', resources: [{ resourceID: 'nic', health: 'Healthy' }] },
      ],
    },
    {
      allocatedResourcesStatus: [
        {
          name: 'nvidia.com/gpu',
          resources: [{ resourceID: 'GPU-b', health: 'Unhealthy' }, { resourceID: 'GPU-c' }],
        },
      ],
    },
    {},
  ]
  expect(gpuHolders([pod('holder', { phase: 'Running', containerStatuses }, '1', '2')])).toEqual([
    { name: 'holder', gpus: 3, given: ['GPU-a'] },
  ])
})
