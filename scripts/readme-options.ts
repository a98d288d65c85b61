import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { commands, type CommandName } from '../bootstrap/cli/commands.mjs'
import { markdownTable, replaceBetween } from './bench/result.ts'

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/** The flags of a command as a Markdown table, from the same description that `--help` prints. */
export function optionsTable(command: CommandName): string {
  return markdownTable(
    ['flag', 'what it does', 'default'],
    Object.entries(commands[command].flags).map(([name, flag]) => [
      `\`--${name}${flag.form === undefined ? '' : ` ${flag.form}`}\``,
      `${flag.help}${flag.repeatable === true ? ' (repeatable)' : ''}`,
      flag.shown ?? flag.initial ?? '',
    ]),
  ).join('\n')
}

/** Writes the table into README.md: `node scripts/run.mjs scripts/readme-options.ts`. */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const readme = path.join(repository, 'README.md')
  await writeFile(readme, replaceBetween(await readFile(readme, 'utf8'), 'options', optionsTable('up')))
}
