// Runs under Node 20 before any dependency is installed. npm run e2e:mutations [-- FLAGS]: see scripts/e2e-mutations.ts.
process.argv.splice(2, 0, 'scripts/e2e-mutations.ts')
await import('./run.mjs')
