import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadableImage } from '../providers/provider.ts'
import { createAssembler } from './assemble.ts'
import type { BuiltComponent } from './component-cache.ts'
import { componentsOfImage } from './components-of-image.ts'
import { storeImage } from './stored-image.ts'
import type { ImageRecipe } from './versions.ts'

/** Raised when the same recipe makes another image. */
const generation = 1

/** Key of an image that is loaded into nodes: its recipe, its components and the files of ours in it. 16 hexadecimal digits. */
export async function layeredImageKey(
  repo: string,
  recipe: ImageRecipe,
  componentKeys: ReadonlyMap<string, string>,
): Promise<string> {
  const keys = componentsOfImage(recipe).map((name) => [name, componentKeys.get(name)])
  const hash = createHash('sha256').update(JSON.stringify([generation, recipe, keys]))
  for (const own of (recipe.layers ?? []).flatMap((layer) => Object.values(layer.own ?? {})))
    hash.update(await readFile(join(repo, 'images', own)))
  return hash.digest('hex').slice(0, 16)
}

/** Makes an image of its layers and stores it, all of it in one archive: it needs nothing of the node image. */
export const buildLayeredImage = (job: {
  repo: string
  cacheDir: string
  recipe: ImageRecipe
  key: string
  components: ReadonlyMap<string, BuiltComponent>
  signal: AbortSignal
}): Promise<LoadableImage> =>
  storeImage({ cacheDir: job.cacheDir, ref: job.recipe.ref, key: job.key }, async (layersDirectory) => {
    const { repo, components, signal } = job
    return { image: await createAssembler({ repo, layersDirectory, components, signal }).image(job.recipe) }
  })
