import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { BuiltComponent } from './component-cache.ts'
import { busyboxEntries, staticEntries } from './base-layers.ts'
import { existingLayer, writeLayer, type Layer, type LayerEntry } from './oci/layer.ts'
import { makeImage, type Image } from './oci/image.ts'
import type { ImageRecipe, LayerRecipe } from './versions.ts'

export interface AssemblyContext {
  repo: string
  /** Folder for layer files; the caller removes it when the images are written. */
  layersDirectory: string
  components: ReadonlyMap<string, BuiltComponent>
  signal: AbortSignal
}

/** Makes images out of built components; a layer that several recipes share is written once. */
export function createAssembler(context: AssemblyContext): {
  image(recipe: ImageRecipe): Promise<Image>
  layer(recipe: LayerRecipe): Promise<Layer>
} {
  const layers = new Map<string, Promise<Layer>>()
  const layer = (recipe: LayerRecipe): Promise<Layer> => {
    const key = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 16)
    const known = layers.get(key) ?? makeLayer(context, recipe, join(context.layersDirectory, `${key}.tar`))
    layers.set(key, known)
    return known
  }
  return {
    layer,
    image: async (recipe) => {
      const parts: Layer[] = []
      for (const part of recipe.layers ?? []) parts.push(await layer(part))
      return makeImage(recipe.ref, parts, {
        ...(recipe.entrypoint ? { entrypoint: recipe.entrypoint } : {}),
        ...(recipe.command ? { command: recipe.command } : {}),
        ...(recipe.environment ? { environment: recipe.environment } : {}),
        ...(recipe.user === undefined ? {} : { user: recipe.user }),
        ...(recipe.stopSignal === undefined ? {} : { stopSignal: recipe.stopSignal }),
        labels: { 'io.local-cloud.managed': 'true', 'io.local-cloud.source': 'packages' },
      })
    },
  }
}

/** Path of a component's output, given as `component/output`. */
export function outputPath(components: ReadonlyMap<string, BuiltComponent>, output: string): string {
  const slash = output.indexOf('/')
  const component = components.get(output.slice(0, slash))
  const name = output.slice(slash + 1)
  const path = component?.files[name] ?? component?.files[`${name}.tar`]
  if (path === undefined) throw new Error(`no component output is called ${output}`)
  return path
}

async function makeLayer(context: AssemblyContext, recipe: LayerRecipe, path: string): Promise<Layer> {
  context.signal.throwIfAborted()
  const { components, repo } = context
  if (recipe.rootfs !== undefined) return existingLayer(outputPath(components, `${recipe.rootfs}/rootfs`))
  const entries: LayerEntry[] = [
    ...(recipe.base === 'static' ? staticEntries() : []),
    ...(recipe.base === 'busybox'
      ? await busyboxEntries(
          outputPath(components, 'busybox-rootfs/rootfs'),
          context.layersDirectory,
          context.signal,
        )
      : []),
    ...Object.entries(recipe.files ?? {}).map(([target, output]): LayerEntry => ({
      kind: 'file',
      path: target,
      source: outputPath(components, output),
      mode: 0o755,
    })),
    ...Object.entries(recipe.trees ?? {}).map(([target, output]): LayerEntry => ({
      kind: 'tree',
      path: target,
      archive: outputPath(components, output),
    })),
    ...Object.entries(recipe.own ?? {}).map(([target, file]): LayerEntry => ({
      kind: 'file',
      path: target,
      source: join(repo, 'images', file),
      mode: 0o755,
    })),
    ...Object.entries(recipe.links ?? {}).map(([link, target]): LayerEntry => ({
      kind: 'link',
      path: link,
      target,
    })),
  ]
  return writeLayer(entries, path)
}
