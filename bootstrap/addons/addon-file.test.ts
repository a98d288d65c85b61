import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readAddonFile } from './addon-file.ts'

const good = `name: example
title: An example
version: v1.2.3
needs: [cilium]
images: ['docker.io/library/busybox:1.35.0']
timeout: 90s
probe: It works.
`
let directory: string

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'addon-')), 'example')
  await mkdir(directory)
})
afterEach(async () => {
  await rm(join(directory, '..'), { recursive: true })
})

async function read(text: string): Promise<unknown> {
  await writeFile(join(directory, 'addon.yaml'), text)
  return readAddonFile(directory, 'example')
}

describe('readAddonFile', () => {
  it('reads all fields, the time-out in milliseconds', async () => {
    expect(await read(good)).toEqual({
      name: 'example',
      title: 'An example',
      version: 'v1.2.3',
      needs: ['cilium'],
      images: ['docker.io/library/busybox:1.35.0'],
      timeoutMs: 90_000,
      promise: 'It works.',
    })
    expect(await read(good.replace('90s', '2m'))).toMatchObject({ timeoutMs: 120_000 })
    expect(await read(`${good}when: gvisor\nnodePrograms: [/bin/runsc]\n`)).toMatchObject({
      when: 'gvisor',
      nodePrograms: ['/bin/runsc'],
    })
  })

  it.each([
    [
      'an image without its registry',
      good.replace('docker.io/library/busybox:1.35.0', 'busybox:1.35.0'),
      /addon\.yaml: images\.0: .*in full/,
    ],
    ['an image without a tag', good.replace('busybox:1.35.0', 'busybox'), /images\.0/],
    ['a time-out without its unit', good.replace('90s', '90'), /timeout/],
    [
      'a program of a node without its place',
      `${good}nodePrograms: [runsc]\n`,
      /nodePrograms\.0: .*absolute/,
    ],
    ['a feature that there is not', `${good}when: kata\n`, /when/],
    ['a field too many', `${good}extra: 1\n`, /extra/],
    ['a field too few', good.replace(/^version.*\n/m, ''), /version/],
    [
      'another name than its folder',
      good.replace('name: example', 'name: other'),
      /name: must be the folder's name, example/,
    ],
    ['no YAML', 'name: [', /the document/],
    ['no mapping', 'just text', /the document/],
  ])('refuses %s with file and field', async (_, text, message) => {
    await expect(read(text)).rejects.toMatchObject({
      code: 'BAD_ADDON',
      message: expect.stringMatching(message) as string,
    })
  })

  it('refuses a folder without addon.yaml', async () => {
    await expect(readAddonFile(directory, 'example')).rejects.toMatchObject({ code: 'BAD_ADDON' })
  })
})
