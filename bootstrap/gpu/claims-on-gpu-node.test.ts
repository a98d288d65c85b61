import { expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { claimsOnGpuNode, selectedNodeAnnotation } from './claims-on-gpu-node.ts'

const node = (name: string) => ({ name, role: 'worker' as const })
const gpu = { tier: 'mock', count: 2, strategy: 'cdi-cri', replicas: 1 } as const
const nodes = [node('control-plane'), node('worker'), node('worker2')]

const claim = (name: string, spec = {}, namespace = 'slate'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace },
  spec,
})
const deployment = (name: string, claims: string[], gpus: number): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'slate' },
  spec: {
    template: {
      spec: {
        containers: [{ name: 'main', resources: gpus === 0 ? {} : { limits: { 'nvidia.com/gpu': gpus } } }],
        volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
      },
    },
  },
})

it('has the claims of pods with a GPU on the node that has the GPUs, and no others', () => {
  const objects = [
    claim('shared'),
    claim('models'),
    claim('own'),
    claim('named', { volumeName: 'workspace' }),
    claim('shared', {}, 'elsewhere'),
    deployment('router', ['shared', 'own'], 0),
    deployment('loop', ['shared', 'named'], 1),
    deployment('ollama', ['models'], 1),
  ]
  const placed = claimsOnGpuNode(objects, { gpu, nodes })
  const chosen = placed.map(({ metadata }) => metadata.annotations?.[selectedNodeAnnotation])
  expect(chosen).toEqual(['worker2', 'worker2', ...Array<undefined>(6).fill(undefined)])
  expect(placed.map(({ metadata: { name, namespace } }) => [namespace, name])).toEqual(
    objects.map(({ metadata: { name, namespace } }) => [namespace, name]),
  )
})

it.each([
  ['no pod asks for a GPU', { gpu, nodes }, 0],
  ['there is one node', { gpu, nodes: nodes.slice(0, 1) }, 1],
  ['there are no GPUs', { nodes }, 1],
])('changes nothing where %s', (_, plan, gpus) => {
  const objects = [claim('shared'), deployment('loop', ['shared'], gpus)]
  expect(claimsOnGpuNode(objects, plan)).toEqual(objects)
})
