import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Paths } from '../plan/options.ts'
import { canonicalJson, type Plan } from '../plan/plan.ts'
import { parsePlan } from './record.ts'

/** What the state directory keeps of one cluster, below `clusters/NAME/`. */
export interface ClusterFiles {
  readonly folder: string
  readonly kubeconfig: string
  /** The plan the cluster was made with, for when its API does not answer. */
  plan(): Promise<Plan | undefined>
  /** Whether a creation was begun and never finished. */
  halfMade(): boolean
  beginCreation(plan: Plan): Promise<void>
  endCreation(): Promise<void>
  /** Readable for its owner only. */
  writeKubeconfig(text: string): Promise<void>
  remove(): Promise<void>
}

/** The files of cluster `name`; nothing is read or made before it is asked for. NO_PERMISSION when a file cannot be written. */
export function clusterFiles(paths: Paths, name: string): ClusterFiles {
  const folder = join(paths.stateDir, 'clusters', name)
  const kubeconfig = join(folder, 'kubeconfig')
  const planFile = join(folder, 'plan.json')
  const marker = join(folder, 'creating')
  const write = async (path: string, text: string, mode: number): Promise<void> => {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeFile(`${path}.new`, text, { mode })
      await chmod(`${path}.new`, mode)
      await rename(`${path}.new`, path)
    } catch (error) {
      throw new LocalCloudError('NO_PERMISSION', { message: `${path} could not be written.`, cause: error })
    }
  }
  return {
    folder,
    kubeconfig,
    async plan() {
      return existsSync(planFile) ? parsePlan(await readFile(planFile, 'utf8')) : undefined
    },
    halfMade: () => existsSync(marker),
    async beginCreation(plan) {
      await write(marker, '', 0o600)
      await write(planFile, canonicalJson(plan), 0o600)
    },
    async endCreation() {
      await rm(marker, { force: true })
    },
    async writeKubeconfig(text) {
      if (existsSync(kubeconfig) && (await readFile(kubeconfig, 'utf8')) === text) return
      await write(kubeconfig, text, 0o600)
    },
    async remove() {
      await rm(folder, { recursive: true, force: true })
    },
  }
}
