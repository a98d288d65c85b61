// Runs under Node 20 before any dependency is installed. npm run zones:switch -- MODEL: see scripts/zones-switch.ts.
process.argv.splice(2, 0, 'scripts/zones-switch.ts')
await import('./run.mjs')
