import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { format, resolveConfig } from 'prettier'
import { errorDocs } from '../bootstrap/errors/error-docs.ts'

// Writes docs/errors.md; with --check it writes nothing and fails when the file is not what it would write.
const file = path.resolve(import.meta.dirname, '..', 'docs', 'errors.md')
const wanted = await format(errorDocs(), { ...(await resolveConfig(file)), filepath: file })
const found = await readFile(file, 'utf8').catch(() => '')
if (process.argv.includes('--check')) {
  if (found !== wanted) {
    console.error('docs/errors.md is not what the catalogue says; run: npm run docs:errors')
    process.exitCode = 1
  }
} else if (found !== wanted) await writeFile(file, wanted)
