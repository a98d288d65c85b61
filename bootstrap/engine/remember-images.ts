import type { Engine, ImageInfo } from './engine.ts'

/** The same engine, which is asked only once about an image that is there; for as long as nobody else removes any. */
export function rememberImages(engine: Engine): Engine {
  const known = new Map<string, ImageInfo>()
  const inspectImage: Engine['inspectImage'] = async (ref, signal) => {
    const found = known.get(ref) ?? (await engine.inspectImage(ref, signal))
    if (found !== undefined) known.set(ref, found)
    return found
  }
  return {
    ...engine,
    inspectImage,
    imageExists: async (ref, signal) => (await inspectImage(ref, signal)) !== undefined,
    async removeImage(ref, signal) {
      known.clear()
      await engine.removeImage(ref, signal)
    },
  }
}
