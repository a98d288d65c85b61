import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { openSync, closeSync } from 'node:fs'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openEngine } from '../../bootstrap/engine/detect-engine.ts'
import { createEphemeralProvider } from '../../bootstrap/providers/k3s/ephemeral-provider.ts'
import { connect } from '../../bootstrap/kube/connect.ts'
import { typedClients } from '../../bootstrap/kube/typed-clients.ts'
import { lifeOf, waitForLock } from '../../bootstrap/state/lock-folder.mjs'
import { moduleFile, packageRoot } from '../../bootstrap/state/package-root.ts'
import { ephemeralCluster, type EphemeralCluster, type ThereIs } from './ephemeral-cluster.ts'
import { sharedFolder } from './ephemeral-folder.ts'
import { ephemeralName, type EphemeralOptions } from './ephemeral-values.ts'
import { ephemeralPaths } from './ephemeral-paths.ts'
import { makeEphemeral, startMs } from './make-ephemeral.ts'
import type { Watch } from './remove-ephemeral-after.ts'
import { runProcess, workerId } from './test-run.ts'

/** What a second user of a shared cluster needs to know of it. */
type Shared = Pick<ThereIs, 'name' | 'kubeconfig' | 'kubeconfigFile' | 'ingressUrl'>

/**
 * The cluster that this worker or this run of tests has for these options, made by whoever asks first. Its scope's end gives it back only; a process of its own
 * removes it, with its files, when the worker or the run has ended, however that ended.
 * @throws LocalCloudError as a start without reuse; the next one that asks tries again
 */
export async function shareEphemeral(
  options: EphemeralOptions,
  reuse: 'worker' | 'run',
): Promise<EphemeralCluster> {
  const owner = reuse === 'run' ? runProcess() : process.pid
  const whose = reuse === 'run' ? `${String(owner)}-${start(owner)}` : workerId()
  const folder = await sharedFolder(`${reuse}-${whose}-${sharedKey(options)}`, owner)
  const signal = AbortSignal.any([
    ...(options.signal === undefined ? [] : [options.signal]),
    AbortSignal.timeout(options.timeoutMs ?? startMs),
  ])
  const release = await waitForLock(path.join(folder, 'lock'), {
    command: 'start of a shared ephemeral cluster',
    signal,
    onWait: () => options.onProgress?.('waiting for another test that starts this cluster'),
  })
  try {
    const there = (await found(folder, options, signal)) ?? (await make(folder, options, owner, reuse))
    return ephemeralCluster(there, () => Promise.resolve())
  } finally {
    release()
  }
}

/** Starts that differ in nothing that makes a cluster share one. */
export function sharedKey({
  system,
  overlay,
  addons,
  cni,
  nodes,
  images,
  cacheDir,
}: EphemeralOptions): string {
  const decisive = { system, overlay, addons, cni, nodes, images, cacheDir }
  return createHash('sha256').update(JSON.stringify(decisive)).digest('hex').slice(0, 12)
}

const start = (pid: number): string => lifeOf(pid)?.split('/').at(-1) ?? '0'
const recordIn = (folder: string): string => path.join(folder, 'cluster.json')

async function found(
  folder: string,
  { timeoutMs = startMs, cacheDir }: EphemeralOptions,
  signal: AbortSignal,
): Promise<ThereIs | undefined> {
  const text = await readFile(recordIn(folder), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const shared = JSON.parse(text) as Shared
  const paths = ephemeralPaths(folder, cacheDir)
  const engine = await openEngine({ choice: 'auto', paths, install: false, emit: () => undefined, signal })
  const provider = createEphemeralProvider({ engine, paths, socket: '' })
  const cluster = await provider.find(shared.name, signal)
  if (cluster?.nodes.every(({ running }) => running) !== true) return undefined
  const kube = await connect({ kubeconfigFile: shared.kubeconfigFile, signal: new AbortController().signal })
  const api = await typedClients(shared.kubeconfig)
  return { ...shared, kube, api, engine, provider, folder, timeoutMs }
}

async function make(
  folder: string,
  options: EphemeralOptions,
  owner: number,
  reuse: 'worker' | 'run',
): Promise<ThereIs> {
  const name = ephemeralName()
  await using connection = new AsyncDisposableStack()
  const cluster = new AsyncDisposableStack()
  const watcher = removeAfter(folder, {
    name,
    folder,
    ...(reuse === 'run' ? { process: { pid: owner, life: lifeOf(owner) ?? '' } } : {}),
  })
  try {
    const there = await makeEphemeral({ options, name, stateDir: folder, owner }, { connection, cluster })
    const { kubeconfig, kubeconfigFile, ingressUrl } = there
    const shared: Shared = { name, kubeconfig, kubeconfigFile, ingressUrl }
    await writeFile(`${recordIn(folder)}.new`, JSON.stringify(shared), { mode: 0o600 })
    await rename(`${recordIn(folder)}.new`, recordIn(folder))
    return there
  } catch (error) {
    await cluster.disposeAsync()
    watcher.kill()
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Begins the process that removes the cluster; it outlives this one, and its pipe is closed when this worker ends. */
function removeAfter(folder: string, watch: Watch) {
  const log = openSync(path.join(folder, 'removal.log'), 'a', 0o600)
  try {
    const program = moduleFile(path.join(packageRoot, 'e2e/harness/remove-ephemeral-after.ts'))
    const child = spawn(process.execPath, [program, JSON.stringify(watch)], {
      detached: true,
      stdio: ['pipe', log, log],
    })
    child.unref()
    ;(child.stdin as unknown as { unref(): void }).unref()
    return child
  } finally {
    closeSync(log)
  }
}
