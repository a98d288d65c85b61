import { imagesOf } from '../fit/images.ts'
import { refsOf, type Versions } from '../images/versions.ts'
import { systemNames } from '../plan/options.ts'
import type { Tools } from '../steps/tools.ts'
import type { BundleValues } from './command-context.ts'

/**
 * Full references of what a bundle brings along: every image that is made for any cluster, and of the optional ones those that pods of the
 * systems run, with the overlay that is asked for.
 * @throws LocalCloudError RENDER_FAILED, MANIFEST_INVALID, BAD_SYSTEM_FILE
 */
export async function bundledImages(
  { system, environment }: Pick<BundleValues, 'system' | 'environment'>,
  { tools, versions, signal }: { tools: Pick<Tools, 'system'>; versions: Versions; signal: AbortSignal },
): Promise<ReadonlySet<string>> {
  const always = versions.images.filter(({ optional }) => optional !== true).flatMap(refsOf)
  const rendered = await Promise.all(
    systemNames(system).map((name) => tools.system({ system: name, environment, choices: {} }, signal)),
  )
  return new Set([...always, ...imagesOf(rendered.flat())])
}
