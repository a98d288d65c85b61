import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../engine/testing/temporary-folder.ts'
import type { Event } from '../../report/events.ts'
import { ensureLibModules, removeLibModules } from './lib-modules.ts'

it('a missing folder is made, announced, and taken back; one that was there stays', () => {
  const root = temporaryFolder()
  const state = path.join(root, 'state')
  const modules = path.join(root, 'modules')
  const events: Event[] = []
  const ensure = () => {
    ensureLibModules(state, (event) => events.push(event), modules)
  }
  ensure()
  ensure()
  expect(existsSync(modules)).toBe(true)
  expect(events).toHaveLength(1)
  removeLibModules(state, modules)
  expect(existsSync(modules)).toBe(false)

  mkdirSync(modules)
  ensure()
  removeLibModules(state, modules)
  expect(existsSync(modules)).toBe(true)
})

it('a folder that got content meanwhile stays', () => {
  const root = temporaryFolder()
  const modules = path.join(root, 'modules')
  ensureLibModules(root, () => undefined, modules)
  writeFileSync(path.join(modules, 'kernel'), '')
  removeLibModules(root, modules)
  expect(existsSync(modules)).toBe(true)
})

it('a folder that cannot be made is an error that says how', () => {
  const root = temporaryFolder()
  writeFileSync(path.join(root, 'file'), '')
  expect(() => {
    ensureLibModules(root, () => undefined, path.join(root, 'file', 'modules'))
  }).toThrow(expect.objectContaining({ code: 'NO_PERMISSION' }) as Error)
})
