import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cannotWrite } from '../errors/disk-full.ts'
import type { Paths } from '../plan/options.ts'
import { canonicalJson, type Plan } from '../plan/plan.ts'
import { ownRecordRef } from '../existing/ours.ts'
import type { ObjectRef } from '../kube/client.ts'
import { parsePlan, recordRef } from './record.ts'

/** What the state directory keeps of one cluster, below `clusters/NAME/`. */
export interface ClusterFiles {
  readonly folder: string
  readonly kubeconfig: string
  /** The plan the cluster was made with, for when its API does not answer. */
  plan(): Promise<Plan | undefined>
  /** Where the cluster keeps its record. */
  recordRef(): Promise<ObjectRef>
  /** Whether a creation was begun and never finished. */
  halfMade(): boolean
  beginCreation(plan: Plan): Promise<void>
  endCreation(): Promise<void>
  /** Keeps the plan of a cluster that is not made here. */
  writePlan(plan: Plan): Promise<void>
  /** One more file below the folder, readable for its owner only; one that would not change is not written. */
  write(file: string, text: string): Promise<void>
  /** Readable for its owner only. */
  writeKubeconfig(text: string): Promise<void>
  remove(): Promise<void>
}

/** The files of cluster `name`; nothing is read or made before it is asked for. NO_PERMISSION or NO_DISK_SPACE when a file cannot be written. */
export function clusterFiles(paths: Paths, name: string): ClusterFiles {
  const folder = join(paths.stateDir, 'clusters', name)
  const kubeconfig = join(folder, 'kubeconfig')
  const planFile = join(folder, 'plan.json')
  const marker = join(folder, 'creating')
  const write = async (path: string, text: string, mode: number): Promise<void> => {
    if (existsSync(path) && (await readFile(path, 'utf8')) === text) return
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeFile(`${path}.new`, text, { mode })
      await chmod(`${path}.new`, mode)
      await rename(`${path}.new`, path)
    } catch (error) {
      await rm(`${path}.new`, { force: true })
      throw cannotWrite(path, error)
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
    async recordRef() {
      return (await this.plan())?.provider === 'existing' ? ownRecordRef(name) : recordRef
    },
    async endCreation() {
      await rm(marker, { force: true })
    },
    writePlan: (plan) => write(planFile, canonicalJson(plan), 0o600),
    write: (file, text) => write(join(folder, file), text, 0o600),
    writeKubeconfig: (text) => write(kubeconfig, text, 0o600),
    async remove() {
      await rm(folder, { recursive: true, force: true })
    },
  }
}
