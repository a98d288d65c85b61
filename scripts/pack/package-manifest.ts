import { z } from 'zod'

const shape = z.looseObject({
  exports: z.record(z.string(), z.string()),
  dependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()),
})

/** Where the compiled modules lie in the package, at the paths of their sources. */
export const compiledFolder = 'dist'

/**
 * What package.json says in the packed package: the same names and versions as in the checkout; its exports lead to compiled modules with
 * types, and the scripts and tools of the checkout are left out. Node.js types are a dependency, since the declarations use them; vitest is
 * the user's own.
 * @throws ZodError when package.json is not as expected
 */
export function packageManifest(text: string): Record<string, unknown> {
  const { devDependencies, ...own } = shape.parse(JSON.parse(text))
  const version = (name: string): string => {
    const found = devDependencies[name]
    if (found === undefined) throw new Error(`package.json has no ${name} among its devDependencies.`)
    return found
  }
  const left = ['private', 'scripts', 'optionalDependencies']
  return {
    ...Object.fromEntries(Object.entries(own).filter(([key]) => !left.includes(key))),
    exports: Object.fromEntries(
      Object.entries(own.exports).map(([name, source]) => [name, compiled(source)]),
    ),
    engines: { node: '>=24' },
    dependencies: { ...own.dependencies, '@types/node': version('@types/node') },
    peerDependencies: { vitest: `>=${version('vitest')}` },
    peerDependenciesMeta: { vitest: { optional: true } },
  }
}

function compiled(source: string): { types: string; default: string } {
  const stem = source.replace(/^\.\//, `./${compiledFolder}/`).replace(/\.ts$/, '')
  return { types: `${stem}.d.ts`, default: `${stem}.js` }
}
