import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadAddons } from '../addons/load-addon.ts'
import { resolvePaths } from '../state/paths.ts'
import { validateObjects, validateOverlay } from './validate.ts'

const paths = resolvePaths(join(import.meta.dirname, '..', '..'), {}, process.env, process.cwd())
const folders = (root: string): string[] =>
  existsSync(root)
    ? readdirSync(root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
    : []
const overlays = folders(join(paths.repo, 'overlays')).flatMap((system) =>
  folders(join(paths.repo, 'overlays', system)).map((environment) => `${system}/${environment}`),
)

describe('every overlay renders and validates', () => {
  it('is looked for where overlays are', () => {
    expect(overlays).toContain('slate/local')
  })

  it.each(overlays)('%s', async (overlay) => {
    const directory = join(paths.repo, 'overlays', overlay)
    const objects = await validateOverlay(directory, { paths, signal: AbortSignal.timeout(60_000) })
    expect(objects.length).toBeGreaterThan(0)
  })
})

describe('every add-on renders and validates', () => {
  it('with its variables filled in', { timeout: 60_000 }, async () => {
    const variables = {
      API_SERVER_HOST: 'local-cloud-control-plane',
      API_SERVER_PORT: '6443',
      CGROUP_V2_ROOT: '/sys/fs/cgroup',
      POD_CIDR: '10.244.0.0/16',
      NODE_COUNT: 1,
    }
    const addons = await loadAddons(paths, variables, AbortSignal.timeout(60_000))
    expect(addons.map(({ name }) => name).sort()).toEqual(
      folders(join(paths.repo, 'manifests', 'addons')).sort(),
    )
    expect(addons.flatMap(({ name, objects }) => validateObjects(objects, name))).toEqual([])
  })
})
