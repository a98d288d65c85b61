import { componentsOfLayer, type ImageRecipe } from './versions.ts'

/** Last part of a reference, without its tag: `docker.io/library/slate:local` is `slate`. */
export const shortName = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1).replace(/:.*$/, '')

/** Component with the npm dependencies of a workload of ours, by convention `<name>-dependencies`. */
export const dependencyComponent = (recipe: ImageRecipe): string => `${shortName(recipe.ref)}-dependencies`

/** Names of the components that an image is made of; the base of a workload of ours has its own. */
export const componentsOfImage = (recipe: ImageRecipe): string[] => [
  ...(recipe.layers ?? []).flatMap(componentsOfLayer),
  ...(recipe.source === undefined ? [] : [dependencyComponent(recipe)]),
]
