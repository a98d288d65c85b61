import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { openEngine } from '../../bootstrap/engine/detect-engine.ts'
import { createAssembler } from '../../bootstrap/images/assemble.ts'
import { buildComponents } from '../../bootstrap/images/build-components.ts'
import { chosenImages } from '../../bootstrap/images/chosen-images.ts'
import { buildNodeImage } from '../../bootstrap/images/node/node-image.ts'
import { writeArchive } from '../../bootstrap/images/oci/archive.ts'
import { upstreamNodeImage } from '../../bootstrap/images/sources/registry.ts'
import { readVersions } from '../../bootstrap/images/versions.ts'
import { runCommand } from '../../bootstrap/process/run-command.ts'
import { resolvePaths } from '../../bootstrap/state/paths.ts'
import { request } from '../harness/http-client.ts'
import { linesOf, ownCluster } from '../harness/own-cluster.ts'
import { startRegistry } from '../harness/registry.ts'

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..')
const program = '/usr/bin/docker-registry'
const registries = ['docker.io', 'quay.io', 'registry.k8s.io']

it('up takes images from a registry, through the mirrors of the engine, without building the node image', async ({
  signal,
}) => {
  if (!existsSync(program)) {
    await runCommand('apt-get', ['update', '-q'], { signal })
    await runCommand('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'docker-registry'], {
      signal,
      env: { DEBIAN_FRONTEND: 'noninteractive' },
    })
  }
  await using registry = await startRegistry(program, signal)
  await using cluster = await ownCluster('registry')
  const { refs, cleanUp } = await publishUpstreamNames(registry, signal)
  onTestFinished(cleanUp)
  const mirrors = await registry.mirrorConfiguration(registries)

  // Its own cache, so that nothing that was built here before can be used.
  const ended = await cluster.command(
    'up',
    ['--images', 'auto', '--cache-dir', path.join(cluster.stateDir, 'cache')],
    {
      CONTAINERS_REGISTRIES_CONF: mirrors,
    },
  )
  expect(ended.exitCode, ended.stdout.slice(-3_000) + ended.stderr.slice(-3_000)).toBe(0)
  const lines = linesOf(ended)
  expect(lines.at(-1)).toMatchObject({ type: 'result', images: { source: 'registry' } })
  expect(refs.length).toBeGreaterThan(8)

  const answer = await request(`http://127.0.0.1:${String(cluster.httpPort)}/api/agents`, {
    host: 'slate.local',
    timeoutMs: 10_000,
    signal,
  })
  expect(answer).toMatchObject({ kind: 'answered', status: 200 })
  expect(answer.kind === 'answered' && JSON.parse(answer.body)).toMatchObject({ service: 'agent-router' })
})

/** Puts images of ours into the registry under the upstream names; a node image like upstream's holds Kubernetes' own images only. */
async function publishUpstreamNames(
  registry: Awaited<ReturnType<typeof startRegistry>>,
  signal: AbortSignal,
): Promise<{ refs: string[]; cleanUp: () => Promise<void> }> {
  const paths = resolvePaths(repository, {}, process.env, repository)
  const versions = chosenImages(await readVersions(repository))
  const work = await mkdtemp(path.join(tmpdir(), 'publish-'))
  const quiet = { emit: () => undefined, progress: () => undefined }
  const refs: string[] = []
  try {
    const components = await buildComponents({ paths, versions, signal, ...quiet })
    const node = await buildNodeImage(
      {
        repo: repository,
        cacheDir: work,
        versions,
        components,
        preload: versions.images.filter((image) => image.role === 'node'),
        signal,
        progress: quiet.progress,
      },
      'upstream',
    )
    const engine = await openEngine({
      choice: 'auto',
      paths,
      install: false,
      emit: quiet.emit,
      signal,
    })
    const assembler = createAssembler({ repo: repository, layersDirectory: work, components, signal })
    const images = []
    for (const recipe of versions.images.filter(
      (image) => image.role !== 'node' && image.source === undefined,
    )) {
      images.push(await assembler.image(recipe))
    }
    const archive = path.join(work, 'images.tar')
    await writeArchive(images, archive)
    refs.push(
      ...(await registry.push(archive, signal)),
      ...(await registry.push(node.archive, signal, upstreamNodeImage(versions))),
    )
    const cleanUp = async (): Promise<void> => {
      for (const ref of [...refs, 'docker.io/library/slate:local'])
        await engine.removeImage(ref, new AbortController().signal).catch(() => undefined)
    }
    return { refs, cleanUp }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
