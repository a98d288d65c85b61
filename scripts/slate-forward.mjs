// Runs under Node 20 before any dependency is installed. npm run slate:forward [-- FLAGS]: see scripts/slate-forward.ts.
process.argv.splice(2, 0, 'scripts/slate-forward.ts')
await import('./run.mjs')
