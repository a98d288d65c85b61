import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isDiskFull } from '../../bootstrap/errors/disk-full.ts'
import { runCommand } from '../../bootstrap/process/run-command.ts'
import { CheckBroke } from './verdict.ts'

/** A file system of its own in memory; on disposal it is gone, whatever is mounted below it. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string
  /** Writes until nothing more fits. */
  fill(): Promise<void>
  /** What lies on it but for the filling, by its path below it. */
  files(): Promise<string[]>
}

const filling = '.filling'
/** Milliseconds that taking it away may take. */
const goneMs = 30_000

/** @throws CheckBroke when nothing can be mounted here, which takes root */
export async function smallDisk(mebibytes: number, signal: AbortSignal): Promise<SmallDisk> {
  const folder = await mkdtemp(path.join(tmpdir(), 'small-disk-'))
  try {
    await runCommand(
      'mount',
      ['-t', 'tmpfs', '-o', `size=${String(mebibytes)}m,mode=0700`, 'small-disk', folder],
      { signal },
    )
  } catch (error) {
    await rm(folder, { recursive: true })
    throw new CheckBroke('No file system can be mounted here.', { cause: error })
  }
  return {
    path: folder,
    async fill() {
      const file = await open(path.join(folder, filling), 'a')
      const block = Buffer.alloc(64 * 1024)
      try {
        for (;;) await file.write(block)
      } catch (error) {
        if (!isDiskFull(error)) throw error
      } finally {
        await file.close()
      }
    },
    async files() {
      const found = await readdir(folder, { recursive: true })
      return found.filter((file) => file !== filling).sort()
    },
    async [Symbol.asyncDispose]() {
      await runCommand('umount', ['--recursive', '--lazy', folder], { signal: AbortSignal.timeout(goneMs) })
      await rm(folder, { recursive: true })
    },
  }
}
