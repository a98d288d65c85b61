import { copyFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { stat } from 'node:fs/promises'
import { runCommand } from '../../process/run-command.ts'
import { npmFiles } from '../component-cache.ts'
import type { NpmComponent } from '../versions.ts'
import type { BuildJob } from './component-builder.ts'
import { reproducibleTar } from './reproducible-tar.ts'

/**
 * Installs a locked set of npm packages, production only and without install scripts, and keeps what the recipe takes:
 * a file as it is, a folder as `<name>.tar`.
 * @throws LocalCloudError BUILD_FAILED with npm's last lines.
 */
export async function buildNpm(job: BuildJob<NpmComponent>): Promise<void> {
  const { recipe, signal, workDirectory } = job
  const source = join(job.paths.repo, 'images', recipe.directory)
  for (const file of npmFiles) await copyFile(join(source, file), join(workDirectory, file))
  job.progress('installing')
  await runCommand(
    'npm',
    ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      signal,
      cwd: workDirectory,
      errorCode: 'BUILD_FAILED',
    },
  )
  for (const [output, path] of Object.entries(recipe.take)) {
    const from = join(workDirectory, path)
    if ((await stat(from)).isFile()) {
      await copyFile(from, join(job.outputDirectory, output))
    } else {
      await runCommand(
        'tar',
        [
          ...reproducibleTar,
          '-cf',
          join(job.outputDirectory, `${output}.tar`),
          '-C',
          join(workDirectory, path, '..'),
          `--transform=s,^${basename(path)},.,`,
          basename(path),
        ],
        { signal, errorCode: 'BUILD_FAILED' },
      )
    }
  }
}
