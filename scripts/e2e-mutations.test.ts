import { expect, it } from 'vitest'
import type { Mutation } from '../e2e/mutations/mutation.ts'
import { parseMutationOptions } from './e2e-mutations-options.ts'

const mutation = (name: string): Mutation => ({
  name,
  breaks: 'it',
  object: 'Role/a',
  change: () => undefined,
  caughtBy: 's: t',
  neighbours: ['s: u', 's: v'],
})
const all = [mutation('a'), mutation('b')]

it('makes every change unless some are named', () => {
  expect(parseMutationOptions([], all)).toEqual({ action: 'run', chosen: all, name: 'local-cloud' })
  expect(parseMutationOptions(['--only', 'b'], all).chosen).toEqual([all[1]])
})

it('takes one change of each kind of object as a sample', () => {
  const other = { ...mutation('c'), object: 'Service/a' }
  expect(parseMutationOptions(['--one-of-each-kind'], [...all, other]).chosen).toEqual([all[0], other])
})

it('takes its flags, and refuses what it does not know', () => {
  expect(parseMutationOptions(['--list', '--name', 'x', '--state-dir', '/s'], all)).toMatchObject({
    action: 'list',
    name: 'x',
    stateDir: '/s',
  })
  expect(parseMutationOptions(['--help'], all)).toMatchObject({ action: 'help' })
  for (const [flags, words] of [
    [['--only', 'c'], 'there is no such change'],
    [['--name', '../x'], '--name ../x'],
    [['--onyl', 'a'], '--onyl'],
  ] as const)
    expect(() => parseMutationOptions(flags, all)).toThrow(words)
})
