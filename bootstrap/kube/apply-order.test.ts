import { expect, it } from 'vitest'
import { inOrder } from './apply-order.ts'

it('groups what others need before them, and keeps the order inside a group', () => {
  const kinds = [
    'APIService',
    'Deployment',
    'Service',
    'Widget',
    'CustomResourceDefinition',
    'Secret',
    'Namespace',
    'Pod',
  ]
  const entries = kinds.map((kind) => ({ object: { apiVersion: 'v1', kind, metadata: { name: 'a' } } }))
  expect(inOrder(entries).map((group) => group.map(({ object }) => object.kind))).toEqual([
    ['Namespace'],
    ['CustomResourceDefinition'],
    ['Service', 'Secret'],
    ['Deployment', 'Widget', 'Pod'],
    ['APIService'],
  ])
})
