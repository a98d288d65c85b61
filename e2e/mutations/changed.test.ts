import { expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { changed, mutate } from './changed.ts'
import { mutations } from './catalogue.ts'
import { mutationVariable, type Mutation } from './mutation.ts'

const object = (kind: string, name: string): KubeObject => ({ apiVersion: 'v1', kind, metadata: { name } })
const mutation = (change: Mutation['change']): Mutation => ({
  name: 'm',
  breaks: 'it',
  object: 'ConfigMap/a',
  change,
  caughtBy: 's: t',
  neighbours: ['s: u', 's: v'],
})
const objects = [object('ConfigMap', 'a'), object('Secret', 'a')]

it('changes the one object, and leaves the given ones as they are', () => {
  const result = mutate(
    objects,
    mutation((one) => {
      one['data'] = { key: 'other' }
      return one
    }),
  )
  expect(result).toEqual([{ ...objects[0], data: { key: 'other' } }, objects[1]])
  expect(objects[0]).not.toHaveProperty('data')
})

it('leaves an object out', () => {
  expect(
    mutate(
      objects,
      mutation(() => undefined),
    ),
  ).toEqual([objects[1]])
})

it('does not take a change of nothing for a change', () => {
  expect(() =>
    mutate(
      [object('Secret', 'a')],
      mutation(() => undefined),
    ),
  ).toThrow('no ConfigMap/a')
})

it('changes nothing unless the environment names a mutation, which must exist', () => {
  expect(changed(objects, {})).toBe(objects)
  expect(() => changed(objects, { [mutationVariable]: 'none-such' })).toThrow('no mutation none-such')
  expect(mutations.some(({ name }) => name === 'none-such')).toBe(false)
})
