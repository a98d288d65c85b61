import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { runCommand } from '../../process/run-command.ts'
import { moduleFile } from '../../state/package-root.ts'
import type { CComponent } from '../versions.ts'
import type { BuildJob } from './component-builder.ts'

/** What `build.ts` of the component's folder exports: a call of the compiler per output, made in that folder. */
export interface CBuild {
  compiler: string
  outputs: readonly { name: string; arguments: (output: string) => readonly string[] }[]
}

/**
 * Compiles a component of ours in C, as its folder's `build.ts` says.
 * @throws LocalCloudError BUILD_FAILED with the command and the compiler's last lines; MISSING_TOOL without the compiler
 */
export async function buildC(job: BuildJob<CComponent>): Promise<void> {
  const directory = join(job.paths.repo, 'images', job.recipe.directory)
  const module = pathToFileURL(moduleFile(join(directory, 'build.ts'))).href
  const { build } = (await import(/* @vite-ignore */ module)) as { build: CBuild }
  for (const output of build.outputs) {
    job.progress(`compiling ${output.name}`)
    await runCommand(build.compiler, output.arguments(join(job.outputDirectory, output.name)), {
      signal: job.signal,
      cwd: directory,
      errorCode: 'BUILD_FAILED',
    })
  }
}
