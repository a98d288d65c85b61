import type { Emit } from '../../report/events.ts'
import type { Paths } from '../../plan/options.ts'

/** What every builder gets. It leaves its outputs as plain files in `outputDirectory`, trees as `<name>.tar`. */
export interface BuildJob<Recipe> {
  name: string
  recipe: Recipe
  paths: Paths
  /** Empty scratch folder, removed afterwards. */
  workDirectory: string
  outputDirectory: string
  signal: AbortSignal
  emit: Emit
  progress(message: string): void
}
