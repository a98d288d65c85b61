// Runs under Node 20 before any dependency is installed. npm run slate:diff [-- FLAGS]: see scripts/slate-diff.ts.
process.argv.splice(2, 0, 'scripts/slate-diff.ts')
await import('./run.mjs')
