import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../engine/testing/temporary-folder.ts'
import type { ImageRecipe } from './versions.ts'
import { foldersBeside, workloadKey } from './workload-image.ts'

const recipe: ImageRecipe = {
  ref: 'docker.io/library/shop:local',
  role: 'workload',
  preload: false,
  source: 'images/shop',
}

async function repository(): Promise<string> {
  const repo = temporaryFolder()
  for (const folder of ['shop/tests', 'common/tests'])
    await mkdir(join(repo, 'images', folder), { recursive: true })
  const files: Record<string, string> = {
    'shop/image.yaml': 'copy: [{from: main.ts, to: /app/main.ts}, {from: ../common/http, to: /common/http}]',
    'shop/main.ts': 'main',
    'common/log.ts': 'log',
  }
  for (const [file, text] of Object.entries(files)) await writeFile(join(repo, 'images', file), text)
  return repo
}

const keyOf = (repo: string): Promise<string> => workloadKey(repo, recipe, new Map(), 'node')

it('finds the folders beside a workload that it copies from', async () => {
  const repo = await repository()
  expect(await foldersBeside(join(repo, 'images/shop'))).toEqual(['../common'])
  expect(await foldersBeside(join(repo, 'images/common'))).toEqual([])
})

it('has another key when a file of the workload or of a folder beside it changes, and the same for other tests', async () => {
  const repo = await repository()
  const key = await keyOf(repo)
  const copy = join(temporaryFolder(), 'elsewhere')
  await cp(repo, copy, { recursive: true })
  expect(await keyOf(copy)).toBe(key)

  for (const folder of ['shop', 'common'])
    await writeFile(join(repo, 'images', folder, 'tests/new.test.ts'), 'test')
  expect(await keyOf(repo)).toBe(key)
  await writeFile(join(repo, 'images/common/log.ts'), 'another log')
  const second = await keyOf(repo)
  expect(second).not.toBe(key)
  await writeFile(join(repo, 'images/shop/main.ts'), 'another main')
  expect(await keyOf(repo)).not.toBe(second)
})
