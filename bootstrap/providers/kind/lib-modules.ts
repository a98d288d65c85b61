import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import type { Emit } from '../../report/events.ts'

const modules = '/lib/modules'
const mark = (stateDir: string): string => path.join(stateDir, 'engine', 'made-lib-modules')

/**
 * kind mounts /lib/modules into every node, and podman refuses a mount whose source is missing. On a host without it (its kernel
 * has no modules) the empty folder is made, announced, and remembered.
 * @throws LocalCloudError NO_PERMISSION when it cannot be made.
 */
export function ensureLibModules(stateDir: string, emit: Emit, folder: string = modules): void {
  if (existsSync(folder)) return
  try {
    mkdirSync(path.dirname(mark(stateDir)), { recursive: true })
    writeFileSync(mark(stateDir), folder)
    mkdirSync(folder)
  } catch (error) {
    rmSync(mark(stateDir), { force: true })
    throw new LocalCloudError('NO_PERMISSION', {
      message: `kind mounts ${folder} into its nodes; it does not exist and cannot be made.`,
      hint: `Make it: sudo mkdir ${folder}`,
      cause: error,
    })
  }
  emit({
    type: 'notice',
    level: 'info',
    message: `Made the empty folder ${folder}, which kind mounts into nodes; down removes it.`,
  })
}

/** Takes back what `ensureLibModules` made, when it is still empty. */
export function removeLibModules(stateDir: string, folder: string = modules): void {
  if (!existsSync(mark(stateDir))) return
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder)
  rmSync(mark(stateDir), { force: true })
}
