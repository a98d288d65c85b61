import { appendFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { componentKey, corruptOutputs, findComponent, storeComponent } from './component-cache.ts'
import type { Component } from './versions.ts'

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'component-cache-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const store = (key: string, content = 'program') =>
  storeComponent(root, 'tool', key, ({ outputDirectory }) =>
    writeFile(join(outputDirectory, 'tool'), content),
  )

describe('storeComponent', () => {
  it('keeps outputs under the key and finds them again', async () => {
    await store('k1')
    const found = await findComponent(root, 'tool', 'k1')
    expect(found?.files['tool']).toBe(join(root, 'components', 'tool', 'k1', 'tool'))
    expect(found && (await corruptOutputs(found))).toEqual([])
    expect(await findComponent(root, 'tool', 'k2')).toBeUndefined()
  })

  it('removes entries under other keys, so that the cache does not grow', async () => {
    await store('k1')
    await store('k2')
    expect(await readdir(join(root, 'components', 'tool'))).toEqual(['k2'])
  })

  it('leaves nothing that looks finished when the build fails', async () => {
    await expect(
      storeComponent(root, 'tool', 'k1', async ({ outputDirectory }) => {
        await writeFile(join(outputDirectory, 'tool'), 'half')
        throw new Error('compiler error')
      }),
    ).rejects.toThrow('compiler error')
    expect(await findComponent(root, 'tool', 'k1')).toBeUndefined()
    expect(await readdir(join(root, 'components', 'tool'))).toEqual([])
  })

  it('sees an output that was changed after it was built', async () => {
    const built = await store('k1')
    await appendFile(built.files['tool'] ?? '', 'x')
    expect(await corruptOutputs(built)).toEqual(['tool'])
  })

  it('does not find an entry whose output is gone', async () => {
    const built = await store('k1')
    await rm(built.files['tool'] ?? '')
    expect(await findComponent(root, 'tool', 'k1')).toBeUndefined()
  })
})

describe('componentKey', () => {
  const recipe: Component = { builder: 'go', version: 'v1', directory: 'tool', programs: { tool: '.' } }
  beforeEach(async () => {
    await mkdir(join(root, 'images', 'tool'), { recursive: true })
    await writeFile(join(root, 'images', 'tool', 'main.go'), 'package main')
  })

  it('changes with the version, the recipe and a file of the folder, and with nothing else', async () => {
    const key = await componentKey(root, 'tool', recipe)
    expect(await componentKey(root, 'tool', recipe)).toBe(key)
    expect(await componentKey(root, 'tool', { ...recipe, version: 'v2' })).not.toBe(key)
    expect(await componentKey(root, 'tool', { ...recipe, tags: ['x'] })).not.toBe(key)
    await mkdir(join(root, 'images', 'other'))
    await writeFile(join(root, 'images', 'other', 'main.go'), 'package other')
    expect(await componentKey(root, 'tool', recipe)).toBe(key)
    await writeFile(join(root, 'images', 'tool', 'main.go'), 'package main // changed')
    expect(await componentKey(root, 'tool', recipe)).not.toBe(key)
  })
})
