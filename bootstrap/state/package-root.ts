import path from 'node:path'

/** Where the packed package has its modules, compiled: Node.js strips no types below node_modules. */
const compiledFolder = 'dist'
const top = path.resolve(import.meta.dirname, '..', '..')

/** Whether these modules run compiled, as they do in the packed package. */
export const isCompiled = import.meta.filename.endsWith('.js')

/** The folder of package.json: of the checkout, or of the installed package. Data files lie at the same places in both. */
export const packageRoot = isCompiled ? path.dirname(top) : top

/** The file that is to be imported for a TypeScript module of the package: itself, or what it was compiled to. Absolute. */
export function moduleFile(source: string): string {
  if (!isCompiled) return source
  const inside = path.relative(packageRoot, source)
  return path.join(packageRoot, compiledFolder, inside.replace(/\.ts$/, '.js'))
}
