import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { execa } from 'execa'
import { stagePackage } from './pack/stage-package.ts'

const help = `Usage: npm run pack [-- --output FOLDER]

Makes local-cloud-VERSION.tgz, which other projects install: the modules compiled, with types. Its path is the last line.

  --output FOLDER  where it goes; default: this folder
  --help           print this
`
const repository = path.resolve(import.meta.dirname, '..')

async function main(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...argv],
    options: { output: { type: 'string', default: '.' }, help: { type: 'boolean', default: false } },
  })
  if (values.help) {
    process.stdout.write(help)
    return
  }
  const output = path.resolve(values.output)
  const folder = await mkdtemp(path.join(tmpdir(), 'local-cloud-pack-'))
  try {
    await mkdir(output, { recursive: true })
    await stagePackage(repository, folder)
    const { stdout } = await execa(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', output],
      {
        cwd: folder,
      },
    )
    const [packed] = JSON.parse(stdout) as { filename: string }[]
    process.stdout.write(`${path.join(output, packed?.filename ?? '')}\n`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1
}
