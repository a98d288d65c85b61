import { symlinkSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../engine/testing/temporary-folder.ts'
import { runCommand } from '../process/run-command.ts'
import { clusterFiles } from '../steps/cluster-files.ts'
import { existsSync, lstatSync, mkdirSync } from 'node:fs'
import { cannotWrite, isDiskFull } from './disk-full.ts'
import { toLocalCloudError } from './to-local-cloud-error.ts'

const { signal } = new AbortController()
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

/* /dev/full answers every write as a full file system does (full(4)). */
describe.runIf(process.platform === 'linux')('a full file system', () => {
  it('is known by an error of Node.js, also as a cause; another error is none', async () => {
    const error = await failure(writeFile('/dev/full', 'x'))
    expect(isDiskFull(error)).toBe(true)
    expect(isDiskFull(new Error('outer', { cause: error }))).toBe(true)
    expect(isDiskFull(await failure(writeFile('/proc/none', 'x')))).toBe(false)
  })

  it('is no defect of ours', async () => {
    const error = toLocalCloudError(await failure(writeFile('/dev/full', 'x')))
    expect(error).toMatchObject({ code: 'NO_DISK_SPACE', exitCode: 3 })
    expect(error.hint).toContain('down --all --purge')
    expect(toLocalCloudError(new Error('other')).code).toBe('INTERNAL')
  })

  it('is told apart from a missing right, with the folder', async () => {
    const full = cannotWrite('/state/file', await failure(writeFile('/dev/full', 'x')))
    expect(full).toMatchObject({
      code: 'NO_DISK_SPACE',
      message: '/state/file could not be written: no space is left on the file system of /state.',
    })
    const refused = cannotWrite('/state/file', await failure(writeFile('/proc/none', 'x')))
    expect(refused).toMatchObject({
      code: 'NO_PERMISSION',
      message: '/state/file could not be written.',
    })
  })

  it('is what a program complains about, whatever its failure else counts as', async () => {
    const run = (script: string) =>
      failure(runCommand('sh', ['-c', script], { signal, errorCode: 'BUILD_FAILED', hint: 'Build.' }))
    expect(await run('seq 1 9 >/dev/full')).toMatchObject({
      code: 'NO_DISK_SPACE',
      message: expect.stringContaining('no space is left on a disk') as string,
      hint: expect.stringContaining('Free some space') as string,
    })
    expect(await run('exit 1')).toMatchObject({ code: 'BUILD_FAILED', hint: 'Build.' })
  })

  it('leaves no half-written file of a cluster', async () => {
    const stateDir = temporaryFolder()
    const files = clusterFiles({ repo: '/repo', stateDir, cacheDir: stateDir }, 'demo')
    mkdirSync(files.folder, { recursive: true })
    const partial = path.join(files.folder, 'kubeconfig.new')
    symlinkSync('/dev/full', partial)
    expect(await failure(files.writeKubeconfig('text'))).toMatchObject({ code: 'NO_DISK_SPACE' })
    expect(existsSync(files.kubeconfig)).toBe(false)
    expect(lstatSync(partial, { throwIfNoEntry: false })).toBeUndefined()
  })
})
