import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { KubeObject } from '../kube/client.ts'
import { renderKustomization } from '../manifests/render.ts'
import type { Paths } from '../plan/options.ts'
import { throwIfAborted } from '../process/run-command.ts'
import { moduleFile } from '../state/package-root.ts'
import type { Addon, Feature, Prepare, Probe } from './addon.ts'
import { badAddon, readAddonFile, type AddonFile } from './addon-file.ts'
import type { Choosable } from './choose-addons.ts'
import type { AddonVariables } from './addon-variables.ts'
import { withConfigDigests } from './config-digest.ts'
import { orderAddons } from './order.ts'
import { substituteVariables } from './substitute-variables.ts'

/** Turns a kustomization's folder into objects. */
export type Render = (
  directory: string,
  options: { paths: Paths; signal: AbortSignal },
) => Promise<KubeObject[]>

export interface LoadAddons {
  render?: Render
  /** What the cluster has; add-ons for anything else are left out. */
  has?: readonly Feature[]
  /** Chooses among them before they are rendered, which is what takes time; default all. */
  choose?: <T extends Choosable>(known: readonly T[]) => readonly T[]
}

/**
 * Loads the folders below manifests/addons, except those for a feature that the cluster does not have: every `addon.yaml` checked, and of those
 * that are chosen the objects rendered with `variables` filled in and the probe imported. They come in an order in which each follows what it needs.
 * @throws LocalCloudError BAD_ADDON with file and field, or what the renderer throws (RENDER_FAILED)
 */
export async function loadAddons(
  paths: Paths,
  variables: AddonVariables,
  signal: AbortSignal,
  { render = renderKustomization, has = [], choose = (known) => known }: LoadAddons = {},
): Promise<Addon[]> {
  const root = join(paths.repo, 'manifests', 'addons')
  const folders = (await readdir(root, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  const described = await Promise.all(folders.map((folder) => readAddonFile(join(root, folder), folder)))
  const known = orderAddons(described.filter(({ when }) => when === undefined || has.includes(when)))
  return Promise.all(choose(known).map((one) => loadAddon(root, one, { paths, variables, signal, render })))
}

async function loadAddon(
  root: string,
  described: AddonFile,
  options: { paths: Paths; variables: AddonVariables; signal: AbortSignal; render: Render },
): Promise<Addon> {
  throwIfAborted(options.signal)
  const directory = join(root, described.name)
  const [rendered, probe, prepare] = await Promise.all([
    options.render(directory, { paths: options.paths, signal: options.signal }),
    importFunction(directory, 'probe', 'required'),
    importFunction(directory, 'prepare', 'optional'),
  ])
  const { objects, unknown } = substituteVariables(rendered, options.variables)
  const [first] = unknown
  if (first !== undefined) {
    const known = Object.keys(options.variables).join(', ')
    throw badAddon(
      join(directory, 'kustomization.yaml'),
      first.place,
      `there is no variable ${first.variable}; there are ${known}`,
    )
  }
  for (const { place, image } of podImages(objects)) {
    if (!described.images.includes(image))
      throw badAddon(join(directory, 'addon.yaml'), 'images', `lacks ${image}, which ${place} runs`)
  }
  return {
    ...described,
    objects: withConfigDigests(objects),
    probe: probe as Probe,
    ...(prepare === undefined ? {} : { prepare: prepare as Prepare }),
  }
}

async function importFunction(
  directory: string,
  name: string,
  need: 'required' | 'optional',
): Promise<unknown> {
  const file = join(directory, `${name}.ts`)
  try {
    await access(file)
  } catch (error) {
    if (need === 'optional') return undefined
    throw badAddon(file, 'the file', 'cannot be read', error)
  }
  let module: Record<string, unknown>
  try {
    module = (await import(/* @vite-ignore */ pathToFileURL(moduleFile(file)).href)) as Record<
      string,
      unknown
    >
  } catch (error) {
    throw badAddon(file, 'the module', error instanceof Error ? error.message : String(error), error)
  }
  if (typeof module[name] !== 'function') throw badAddon(file, name, 'is not an exported function')
  return module[name]
}

interface Template {
  spec?: { containers?: { image?: string }[]; initContainers?: { image?: string }[] }
}

function podImages(objects: readonly KubeObject[]): { place: string; image: string }[] {
  return objects.flatMap((object) => {
    const { spec } = (object.spec as { template?: Template } | undefined)?.template ?? {}
    return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].flatMap(({ image }) =>
      image === undefined ? [] : [{ place: `${object.kind} ${object.metadata.name}`, image }],
    )
  })
}
