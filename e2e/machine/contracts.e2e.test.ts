import { mkdtempSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { openEngine } from '../../bootstrap/engine/detect-engine.ts'
import type { Engine } from '../../bootstrap/engine/engine.ts'
import { engineContract } from '../../bootstrap/engine/engine.e2e-contract.ts'
import { freePort } from '../../bootstrap/host/free-port.ts'
import { createAssembler } from '../../bootstrap/images/assemble.ts'
import { buildComponents, componentKeys } from '../../bootstrap/images/build-components.ts'
import { nodeImageKey, nodeImageRef } from '../../bootstrap/images/node/node-image.ts'
import { writeArchive } from '../../bootstrap/images/oci/archive.ts'
import { makeImage } from '../../bootstrap/images/oci/image.ts'
import { readVersions } from '../../bootstrap/images/versions.ts'
import { makerNames, type MakerName } from '../../bootstrap/plan/options.ts'
import { runCommand } from '../../bootstrap/process/run-command.ts'
import { providerContract } from '../../bootstrap/providers/provider-contract.ts'
import { createK3sProvider } from '../../bootstrap/providers/k3s/k3s-provider.ts'
import { createKindProvider } from '../../bootstrap/providers/kind/kind-provider.ts'
import type { ClusterProvider } from '../../bootstrap/providers/provider.ts'
import { resolvePaths } from '../../bootstrap/state/paths.ts'
import { builtImages } from '../harness/built-images.ts'

const repository = path.join(import.meta.dirname, '..', '..')
const paths = resolvePaths(repository, {}, process.env, repository)
const work = mkdtempSync(path.join(tmpdir(), 'contracts-'))
const loadable = 'localhost/local-cloud-contract-loadable:1'
const quiet = { emit: () => undefined, progress: () => undefined }

const versions = await readVersions(repository)
const nodeImage = nodeImageRef(
  versions,
  await nodeImageKey(repository, versions, await componentKeys(repository, versions)),
)

const open = (signal: AbortSignal) =>
  openEngine({ choice: 'auto', paths, install: false, emit: quiet.emit, signal })

beforeAll(async () => {
  const { signal } = new AbortController()
  const engine = await open(signal)
  await builtImages(engine, paths, signal)
  const components = await buildComponents({ paths, versions, signal, ...quiet })
  const layersDirectory = await mkdtemp(path.join(work, 'layers-'))
  const layer = await createAssembler({ repo: repository, layersDirectory, components, signal }).layer({
    base: 'busybox',
  })
  await runCommand('tar', ['-xf', layer.path, '-C', work, 'bin/busybox'], { signal })
  const archive = path.join(work, 'loadable.tar')
  await writeArchive(
    [makeImage(loadable, [layer], { command: ['sh'], labels: { contract: 'loadable' } })],
    archive,
  )
  await engine.loadArchive(archive, signal)
})

afterAll(async () => {
  const { signal } = new AbortController()
  await (await open(signal)).removeImage(loadable, signal)
  await rm(work, { recursive: true, force: true })
})

engineContract({ open, busybox: path.join(work, 'bin', 'busybox') })

const makers: Record<MakerName, (engine: Engine) => ClusterProvider> = {
  kind: (engine) => createKindProvider({ engine, paths, emit: quiet.emit }),
  k3s: (engine) => createK3sProvider({ engine, paths }),
}
for (const name of makerNames) {
  providerContract({
    async open(signal) {
      const engine = await open(signal)
      return { engine, provider: makers[name](engine) }
    },
    nodeImage,
    loadable,
    spec: { name: `contract-${name}`, nodes: 1, httpPort: await freePort(), httpsPort: await freePort() },
  })
}
