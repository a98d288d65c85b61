import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rename, rm } from 'node:fs/promises'
import { arch, cpus, release, tmpdir, totalmem, type } from 'node:os'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { clusterLabel } from '../engine/engine.ts'
import { cannotWrite } from '../errors/disk-full.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import { detectHostLimits } from '../host/host-limits.ts'
import { redact } from '../process/redact.ts'
import { throwIfAborted } from '../process/run-command.ts'
import { findAccess } from '../steps/on-existing/access.ts'
import { createSession, type Session } from '../steps/session.ts'
import { realTools } from '../steps/real-tools.ts'
import type { Tools } from '../steps/tools.ts'
import type { CommandContext, LogsValues } from './command-context.ts'
import { commandDeadline } from './command-deadline.ts'
import { readStatus } from './status.ts'
import { toolVersion } from './tool-version.ts'

/** One file of the archive. */
export interface ArchivedFile {
  /** Below the archive's one folder, with forward slashes. */
  path: string
  content: string
}

/** `logs`: everything that tells what a cluster does, in one archive; what cannot be had is named and left out. */
export async function run(context: CommandContext<LogsValues>): Promise<void> {
  const { paths, values, emit } = context
  await logs(context, realTools({ paths, engine: values.engine, install: false, emit }))
}

/** The same with the given tools. */
export async function logs(context: CommandContext<LogsValues>, tools: Tools): Promise<void> {
  const { values, json, emit } = context
  const deadline = commandDeadline('logs', values.timeoutMs, context.signal)
  const { signal } = deadline
  const started = new Date()
  const stamp = started.toISOString().replaceAll(/[:-]/g, '').replace(/\..*/, '')
  const folder = `local-cloud-logs-${values.name}-${stamp}`
  const output = resolve(values.output ?? `${folder}.tar.gz`)
  const missing: string[] = []
  const step = { step: 'logs', title: `Logs of ${values.name}` }
  emit({ type: 'started', ...step })
  try {
    const count = await writeArchive(output, folder, started, collect(context, tools, signal, missing))
    emit({ type: 'succeeded', ...step, seen: output, ms: Date.now() - started.getTime() })
    context.out(
      json
        ? JSON.stringify({ type: 'result', command: 'logs', archive: output, files: count, missing })
        : [
            `Wrote ${output} (${String(count)} files, secrets removed).`,
            ...missing.map((line) => `  ! without ${line}`),
          ].join('\n'),
    )
  } finally {
    deadline.dispose()
  }
}

async function* collect(
  context: CommandContext<LogsValues>,
  tools: Tools,
  signal: AbortSignal,
  missing: string[],
): AsyncIterable<ArchivedFile> {
  const { values, paths, emit } = context
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    emit({ type: 'progress', step: 'logs', message: what })
    try {
      return await work()
    } catch (error) {
      throwIfAborted(signal)
      missing.push(`${what}: ${toLocalCloudError(error).message}`)
      return undefined
    }
  }
  const access = await findAccess(paths, { name: values.name })
  const session = createSession({
    name: values.name,
    ...(access ? { existing: access } : {}),
    paths,
    images: { kind: 'auto' },
    tools,
    emit,
    signal,
    quick: true,
  })
  // An existing cluster is reached by its API alone.
  const engine = access ? undefined : await attempt('the container engine', () => tools.findEngine(signal))
  yield {
    path: 'versions.txt',
    content: versions(paths.repo, engine ? `${engine.kind} ${engine.version}` : 'none'),
  }
  const status = await attempt('the status', () => readStatus({ ...context, signal }, tools, 10_000))
  if (status) yield { path: 'status.json', content: redact(JSON.stringify(status, null, 2)) }
  const plan = await attempt('the plan', () => session.files.plan())
  if (plan) yield { path: 'plan.json', content: JSON.stringify(plan, null, 2) }
  if (engine) {
    const containers = await attempt('the list of containers', () =>
      engine.listContainers(`${clusterLabel}=${values.name}`, signal),
    )
    yield { path: 'containers.json', content: JSON.stringify(containers ?? [], null, 2) }
    yield* nodeLogs(session, signal, attempt)
  }
  const look = await attempt('the cluster', () => session.look())
  if (!look?.kube) {
    if (look) missing.push(`objects, events and container logs: ${look.trouble ?? 'there is no cluster'}`)
    return
  }
  const { collectDiagnostics } = await import('../kube/collect.ts')
  const { connect } = await import('../kube/connect.ts')
  const kube = await connect(
    access ? { kubeconfig: access.kubeconfig, signal } : { kubeconfigFile: session.files.kubeconfig, signal },
  )
  // What is not ours on an existing cluster is nobody's business but its owner's.
  const own = access && (await session.ours('v1', 'Namespace'))
  const namespaces = own && [...own.values()].map(({ metadata }) => metadata.name)
  for await (const file of collectDiagnostics(kube, { signal, ...(namespaces ? { namespaces } : {}) }))
    yield { ...file, path: `cluster/${file.path}` }
}

async function* nodeLogs(
  session: Session,
  signal: AbortSignal,
  attempt: <T>(what: string, work: () => Promise<T>) => Promise<T | undefined>,
): AsyncIterable<ArchivedFile> {
  const folder = await attempt('node logs', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'local-cloud-logs-'))
    await (await session.provider()).exportLogs(session.name, directory, signal)
    return directory
  })
  if (folder === undefined) return
  try {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const file = join(entry.parentPath, entry.name)
      const path = `nodes/${relative(folder, file).split(sep).join('/')}`
      yield { path, content: redact(await readFile(file, 'utf8')) }
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function versions(repo: string, engine: string): string {
  const { distribution, cgroup, capSysResource } = detectHostLimits()
  return [
    `local-cloud ${toolVersion(repo)}`,
    `node ${process.version}`,
    `engine ${engine}`,
    `system ${type()} ${release()} ${arch()}, ${distribution ? `${distribution.id} ${distribution.version}` : 'no distribution'}`,
    `${String(cpus().length)} cpus, ${(totalmem() / 2 ** 30).toFixed(1)} GiB, cgroup ${cgroup}, CAP_SYS_RESOURCE ${capSysResource ? 'yes' : 'no'}`,
    '',
  ].join('\n')
}

/**
 * Writes the files as one gzipped tar archive, complete or not at all, readable for its owner only. Returns how many.
 * @throws LocalCloudError NO_PERMISSION when the file cannot be written.
 */
export async function writeArchive(
  output: string,
  folder: string,
  date: Date,
  files: AsyncIterable<ArchivedFile>,
): Promise<number> {
  const { pack } = await import('tar-stream')
  const archive = pack()
  const partial = `${output}.partial`
  let count = 0
  try {
    await mkdir(dirname(output), { recursive: true })
    const written = pipeline(archive, createGzip(), createWriteStream(partial, { mode: 0o600 }))
    const fill = async (): Promise<void> => {
      for await (const { path, content } of files) {
        await new Promise<void>((done, fail) => {
          archive.entry({ name: `${folder}/${path}`, mtime: date, mode: 0o600 }, content, (error) => {
            if (error) fail(error)
            else done()
          })
        })
        count += 1
      }
      archive.finalize()
    }
    const failure = await Promise.all([fill(), written]).then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    if (failure) {
      archive.destroy()
      await written.catch(() => undefined)
      throw failure.error
    }
    await rename(partial, output)
    return count
  } catch (error) {
    await rm(partial, { force: true })
    if (error instanceof LocalCloudError) throw error
    throw cannotWrite(output, error)
  }
}
