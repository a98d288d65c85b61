import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { openEngine } from '../../bootstrap/engine/detect-engine.ts'
import { managedLabel } from '../../bootstrap/engine/engine.ts'
import { nodeImageName } from '../../bootstrap/images/node/node-image.ts'
import { linesOf, ownCluster } from '../harness/own-cluster.ts'

/** Environment in which nothing outside this machine can be asked: every proxy is a closed port, every mirror list is empty. */
const unplugged = {
  http_proxy: 'http://127.0.0.1:9',
  https_proxy: 'http://127.0.0.1:9',
  HTTP_PROXY: 'http://127.0.0.1:9',
  HTTPS_PROXY: 'http://127.0.0.1:9',
  NO_PROXY: '127.0.0.1,localhost',
  no_proxy: '127.0.0.1,localhost',
  GOPROXY: 'off',
  npm_config_offline: 'true',
}

it('a bundle made here brings a cluster up with networking off and no other image', async ({ signal }) => {
  await using cluster = await ownCluster('bundle')
  const file = path.join(cluster.stateDir, 'bundle.tar')
  const made = await cluster.command('bundle', ['--images', 'packages', '--output', file])
  expect(made.exitCode, made.stdout.slice(-2_000) + made.stderr.slice(-2_000)).toBe(0)
  const { manifest } = linesOf(made).at(-1) as unknown as {
    manifest: { preloaded: string[]; images: { ref: string }[] }
  }
  expect(manifest.preloaded).toContain('quay.io/cilium/cilium:v1.19.5')
  expect(manifest.images.map((image) => image.ref)).toContain('docker.io/library/slate:local')

  const engine = await openEngine({
    choice: 'auto',
    paths: { stateDir: cluster.stateDir },
    install: false,
    emit: () => undefined,
    signal,
  })
  for (const image of await engine.listImages(managedLabel, signal)) {
    for (const ref of image.refs.filter((name) => name.startsWith(nodeImageName)))
      await engine.removeImage(ref, signal)
  }
  const ended = await cluster.command(
    'up',
    ['--images', `bundle:${file}`, '--cache-dir', path.join(cluster.stateDir, 'cache')],
    unplugged,
  )
  expect(ended.exitCode, ended.stdout.slice(-3_000) + ended.stderr.slice(-3_000)).toBe(0)
  expect(linesOf(ended).at(-1)).toMatchObject({ type: 'result', images: { source: 'bundle' } })
  expect((await readdir(path.join(cluster.stateDir, 'cache'))).sort()).toEqual(['bundle', 'tools'])
  await rm(file)
})
