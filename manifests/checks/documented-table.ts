import { readFileSync } from 'node:fs'

/** The lines of the first table in `docs/systems/SYSTEM.md` with these columns, by column. @throws Error when there is none */
export function documentedTable(system: string, ...columns: string[]): Record<string, string>[] {
  const page = readFileSync(new URL(`../../docs/systems/${system}.md`, import.meta.url), 'utf8')
  const lines = page.split('\n').map((line) => (line.startsWith('|') ? cellsOf(line) : undefined))
  const start = lines.findIndex((cells) => cells !== undefined && columns.join() === cells.join())
  if (start === -1)
    throw new Error(`docs/systems/${system}.md has no table with the columns ${columns.join(', ')}`)
  const length = lines.slice(start).findIndex((cells) => cells === undefined)
  return lines
    .slice(start + 2, start + length)
    .map((cells) => Object.fromEntries(columns.map((column, index) => [column, cells?.[index] ?? ''])))
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}
