import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { compiledFolder, packageManifest } from './package-manifest.ts'

/** What the modules read besides themselves. The sources stand among it as they are: the keys of built images are made of them. */
const folders = ['bootstrap', 'fixtures', 'images', 'manifests', 'overlays']
const compiler = 'node_modules/typescript-native/bin/tsc'
const leftOut = /(^|\/)(node_modules|tests)(\/|$)|\.test\.ts$|_test\.go$/

/**
 * Lays the package out in `target`, an empty folder: the data files at their places, the modules compiled with their types, and its package.json.
 * @throws Error with the compiler's output when a module does not compile
 */
export async function stagePackage(repository: string, target: string): Promise<void> {
  const compile = execa(
    process.execPath,
    [compiler, '-p', 'tsconfig.package.json', '--outDir', path.join(target, compiledFolder)],
    { cwd: repository },
  )
  await Promise.all([
    compile,
    ...folders.map((folder) =>
      cp(path.join(repository, folder), path.join(target, folder), {
        recursive: true,
        filter: (file) => !leftOut.test(path.relative(repository, file).replaceAll(path.sep, '/')),
      }),
    ),
    cp(path.join(repository, 'README.md'), path.join(target, 'README.md')),
  ])
  const manifest = packageManifest(await readFile(path.join(repository, 'package.json'), 'utf8'))
  await mkdir(target, { recursive: true })
  await writeFile(path.join(target, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
}
