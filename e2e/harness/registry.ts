import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { runCommand } from '../../bootstrap/process/run-command.ts'
import { freePort } from '../../bootstrap/host/free-port.ts'
import { eventually } from './eventually.ts'

/** A container registry on loopback, with nothing in it at first. */
export interface LoopbackRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, without TLS. */
  host: string
  /** Puts every image of an archive (OCI layout) there, under its own name or `as`; without the registry's part. Returns the names. */
  push(archive: string, signal: AbortSignal, as?: string): Promise<string[]>
  /** A registries.conf by which podman asks this registry for images of `registries`, and nobody else. */
  mirrorConfiguration(registries: readonly string[]): Promise<string>
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json'

/** Starts Debian's `docker-registry` (the reference implementation of the OCI distribution specification) on a free port. */
export async function startRegistry(program: string, signal: AbortSignal): Promise<LoopbackRegistry> {
  const directory = await mkdtemp(path.join(tmpdir(), 'registry-'))
  const host = `127.0.0.1:${String(await freePort())}`
  const configuration = path.join(directory, 'config.yml')
  await writeFile(
    configuration,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${directory}/data}}\nhttp: {addr: '${host}'}\n`,
  )
  const child = spawn(program, ['serve', configuration], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve()
    }),
  )
  await eventually(
    `the registry on ${host} answers`,
    async () => {
      const response = await fetch(`http://${host}/v2/`, { signal }).catch((error: unknown) => error)
      return response instanceof Response && response.ok
        ? { ok: true, seen: 'the registry answers' }
        : {
            ok: false,
            seen: `no answer from ${host}: ${String(response instanceof Response ? response.status : response)}`,
          }
    },
    { timeoutMs: 20_000, intervalMs: 100, signal },
  )
  return {
    host,
    push: (archive, pushSignal, as) => pushArchive(host, archive, directory, pushSignal, as),
    async mirrorConfiguration(registries) {
      const file = path.join(directory, 'registries.conf')
      await writeFile(
        file,
        `unqualified-search-registries = []\n${registries
          .map(
            (name) =>
              `[[registry]]\nprefix = "${name}"\nlocation = "${name}"\n[[registry.mirror]]\nlocation = "${host}"\ninsecure = true\n`,
          )
          .join('')}`,
      )
      return file
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}

interface Descriptor {
  digest: string
  size: number
  annotations?: Record<string, string>
}

async function pushArchive(
  host: string,
  archive: string,
  directory: string,
  signal: AbortSignal,
  as?: string,
): Promise<string[]> {
  const layout = await mkdtemp(path.join(directory, 'layout-'))
  try {
    await runCommand('tar', ['-xf', archive, '-C', layout], { signal })
    const index = JSON.parse(await readFile(path.join(layout, 'index.json'), 'utf8')) as {
      manifests: Descriptor[]
    }
    const pushed: string[] = []
    for (const descriptor of index.manifests) {
      const ref = as ?? descriptor.annotations?.['org.opencontainers.image.ref.name'] ?? ''
      const [, repository, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(ref) ?? []
      if (repository === undefined || tag === undefined)
        throw new Error(`${archive} names an image without repository and tag: ${ref}`)
      const manifest = await readFile(blob(layout, descriptor.digest))
      const { config, layers } = JSON.parse(manifest.toString('utf8')) as {
        config: Descriptor
        layers: Descriptor[]
      }
      for (const { digest } of [config, ...layers])
        await pushBlob(host, repository, digest, blob(layout, digest), signal)
      await send(`http://${host}/v2/${repository}/manifests/${tag}`, {
        method: 'PUT',
        headers: { 'content-type': manifestType },
        body: manifest,
        signal,
      })
      pushed.push(ref)
    }
    return pushed
  } finally {
    await rm(layout, { recursive: true, force: true })
  }
}

const blob = (layout: string, digest: string): string =>
  path.join(layout, 'blobs', 'sha256', digest.slice('sha256:'.length))

async function pushBlob(
  host: string,
  repository: string,
  digest: string,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const known = await fetch(`http://${host}/v2/${repository}/blobs/${digest}`, { method: 'HEAD', signal })
  if (known.ok) return
  const begun = await send(`http://${host}/v2/${repository}/blobs/uploads/`, { method: 'POST', signal })
  const location = new URL(begun.headers.get('location') ?? '', `http://${host}`)
  location.searchParams.set('digest', digest)
  const { size } = await stat(file)
  await send(location, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
    body: createReadStream(file),
    duplex: 'half',
    signal,
  } as unknown as RequestInit)
}

async function send(url: string | URL, request: RequestInit): Promise<Response> {
  const response = await fetch(url, request)
  if (!response.ok)
    throw new Error(
      `${request.method ?? 'GET'} ${String(url)} answered ${String(response.status)}: ${await response.text()}`,
    )
  await response.arrayBuffer()
  return response
}
