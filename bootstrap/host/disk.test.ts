import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { freeBytes, requireDiskSpace } from './disk.ts'

it('free space is that of the nearest folder that exists', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'local-cloud-disk-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true })
  })
  const free = await freeBytes(folder)
  expect(free).toBeGreaterThan(0)
  expect(Math.abs((await freeBytes(path.join(folder, 'not', 'there'))) - free)).toBeLessThan(free / 2)
})

it('too little space is an error that names what, where and how much', async () => {
  const free = () => Promise.resolve(3.5 * 2 ** 30)
  const need = { place: '/state', what: 'The build', otherwise: 'take --state-dir', free }
  await requireDiskSpace({ ...need, bytes: 3 * 2 ** 30 })
  await expect(requireDiskSpace({ ...need, bytes: 20 * 2 ** 30 })).rejects.toMatchObject({
    code: 'NO_DISK_SPACE',
    message: 'The build needs 20.0 GiB below /state, where 3.5 GiB are free.',
    hint: 'Free 16.5 GiB there (bootstrap/down --all --purge removes every cluster of ours and all that was built for them), or take --state-dir.',
  })
  await expect(
    requireDiskSpace({ ...need, bytes: 3 * 2 ** 20, free: () => Promise.resolve(2 ** 19) }),
  ).rejects.toMatchObject({ message: 'The build needs 3.0 MiB below /state, where 0.5 MiB are free.' })
})
