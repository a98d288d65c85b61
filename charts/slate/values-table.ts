import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMap, isPair, isScalar, parseDocument, stringify, type Pair, type YAMLMap } from 'yaml'
import { markdownTable, replaceBetween } from '../../scripts/bench/result.ts'
import { repo } from './chart.ts'

/** What begins the description of a value in a comment above its key. */
const mark = '-- '
/** Characters from which on a default is not shown in a cell. */
const longest = 90

/**
 * The values of a chart as a Markdown table: path, default, and the description that the comment above the key gives after `--`. A described
 * map is one row; another one is descended into.
 * @throws Error naming a value that has no description
 */
export function valuesTable(text: string): string {
  const document = parseDocument(text)
  const rows = isMap(document.contents) ? rowsOf(document.contents, [], document.toJS()) : []
  return markdownTable(['value', 'default', 'meaning'], rows).join('\n')
}

function rowsOf(map: YAMLMap, path: readonly string[], values: unknown): string[][] {
  return map.items.filter(isPair).flatMap((pair, index) => {
    const key = isScalar(pair.key) ? String(pair.key.value) : ''
    const value = (values as Record<string, unknown>)[key]
    const place = [...path, key]
    const meaning = descriptionOf(pair, index === 0 ? map.commentBefore : undefined)
    if (meaning !== undefined) return [[`\`${place.join('.')}\``, `\`${shown(value)}\``, meaning]]
    if (isMap(pair.value) && pair.value.items.length > 0) return rowsOf(pair.value, place, value)
    throw new Error(`${place.join('.')} has no description: a comment above it that begins with "${mark}"`)
  })
}

/** The comment above a key; above the first key of a map it may belong to the map. */
function descriptionOf({ key }: Pair, ofMap: string | null | undefined): string | undefined {
  const comment = (isScalar(key) ? key.commentBefore : undefined) ?? ofMap ?? ''
  const line = comment.split('\n').findLast((one) => one.trimStart().startsWith(mark))
  return line?.trimStart().slice(mark.length).replaceAll('|', '\\|')
}

function shown(value: unknown): string {
  if (value === null) return 'null'
  const text = stringify(value, {
    collectionStyle: 'flow',
    lineWidth: 0,
    aliasDuplicateObjects: false,
  }).trim()
  return text.length > longest ? 'see values.yaml' : text
}

/** The page with the table that fits values.yaml. */
export async function helmPage(): Promise<{ file: string; found: string; wanted: string }> {
  const file = join(repo, 'docs', 'how-to', 'helm.md')
  const found = await readFile(file, 'utf8')
  const values = await readFile(join(import.meta.dirname, 'values.yaml'), 'utf8')
  return { file, found, wanted: replaceBetween(found, 'values', valuesTable(values)) }
}

/** Writes the table into docs/how-to/helm.md: `node scripts/run.mjs charts/slate/values-table.ts`. */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { file, found, wanted } = await helmPage()
  if (found !== wanted) await writeFile(file, wanted)
}
