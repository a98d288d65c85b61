import { componentsOfImage } from './components-of-image.ts'
import { nodeComponents } from './node/node-image.ts'
import { isChosen, type Versions } from './versions.ts'

/**
 * What is made for a cluster whose pods run `wanted`, by their full references: every image but the optional ones that are neither preloaded
 * nor wanted, and the components of the node image and of these images alone. Without `wanted`, no optional one that is not preloaded. Pure.
 */
export function chosenImages(versions: Versions, wanted?: ReadonlySet<string>): Versions {
  const images = versions.images.filter((image) => image.preload || isChosen(image, wanted))
  const used = new Set([...nodeComponents(versions), ...images.flatMap(componentsOfImage)])
  const components = Object.entries(versions.components).filter(([name]) => used.has(name))
  return { ...versions, images, components: Object.fromEntries(components) }
}
