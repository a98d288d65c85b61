// Runs under Node 20 before any dependency is installed. npm run e2e [-- FLAGS]: see scripts/e2e.ts.
process.argv.splice(2, 0, 'scripts/e2e.ts')
await import('./run.mjs')
