import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it, onTestFinished, vi } from 'vitest'
import {
  isAbandoned,
  madeLabel,
  ownerLabel,
  ownerOf,
  ownLabels,
  thisMachine,
  type OwnerWorld,
} from './ephemeral-owner.ts'

const now = new Date('2026-01-01T12:00:00Z')
const world = (
  boot: string | undefined,
  processes: Record<number, string>,
  namespace = 'n1',
): OwnerWorld => ({
  boot: () => boot,
  namespace: () => (namespace === '' ? undefined : namespace),
  startedAt: (pid) => processes[pid],
})
const here = world('b1', { 7: '100' })
const labelled = (owner: string, made = '2026-01-01T11:59:00Z') => ({
  [ownerLabel]: owner,
  [madeLabel]: made,
})
const longAgo = '2026-01-01T05:00:00Z'

it('knows its own process, which is alive', () => {
  expect(isAbandoned(ownLabels(), now)).toBe(false)
  expect(ownLabels()[ownerLabel]).toBe(ownerOf(process.pid))
  expect(ownerOf(process.pid)).not.toContain('unknown')
})

it('a process that ended and was not waited for yet counts as gone', async () => {
  const child = spawn('/bin/sh', ['-c', 'sleep 0 & exec sleep 60'], { stdio: 'ignore' })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const children = `/proc/${String(child.pid)}/task/${String(child.pid)}/children`
  await vi.waitFor(
    () => {
      const ended = Number(readFileSync(children, 'utf8').trim())
      expect(readFileSync(`/proc/${String(ended)}/stat`, 'utf8')).toContain(') Z ')
      expect(thisMachine.startedAt(ended)).toBeUndefined()
    },
    { timeout: 5_000 },
  )
  expect(thisMachine.startedAt(child.pid ?? 0)).toMatch(/^\d+$/)
})

it.each([
  ['a process that runs', labelled(ownerOf(7, here), longAgo), false],
  ['one that has ended', labelled('b1/n1/8/100'), true],
  ['another one with its number', labelled('b1/n1/7/99'), true],
  ['one before the last boot', labelled('b0/n1/7/100'), true],
  ['one of another container, and new', labelled('b1/n2/8/100'), false],
  ['one of another container, and old', labelled('b1/n2/8/100', longAgo), true],
  ['nobody who is named, and new', labelled(''), false],
  ['nobody who is named, and old', labelled('', longAgo), true],
  ['nobody who is named, and without a date', {}, false],
])('of %s', (_, labels, abandoned) => {
  expect(isAbandoned(labels, now, here)).toBe(abandoned)
})

it.each([
  ['the boot', world(undefined, {})],
  ['the namespace', world('b1', {}, '')],
])('goes by age where %s cannot be told', (_, elsewhere) => {
  expect(isAbandoned(labelled('b1/n1/8/100'), now, elsewhere)).toBe(false)
  expect(isAbandoned(labelled('b1/n1/8/100', longAgo), now, elsewhere)).toBe(true)
})
