import { isDeepStrictEqual } from 'node:util'
import {
  isCollection,
  isMap,
  isScalar,
  isSeq,
  parse,
  parseDocument,
  stringify,
  type CST,
  type Document,
  type Node,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** The lists of a kubeconfig whose entries have names. */
const lists = ['clusters', 'contexts', 'users'] as const
type List = (typeof lists)[number]

interface Kubeconfig {
  clusters?: { name: string }[]
  users?: { name: string }[]
  contexts?: { name: string; context?: { cluster?: string; user?: string } }[]
}

/** Text to be put in place of what stands between two offsets. */
interface Edit {
  start: number
  end: number
  text: string
}

/** A kubeconfig as text and as what the text says. */
interface Parsed {
  text: string
  document: Document.Parsed
  map: YAMLMap
}

/**
 * `theirs` with the cluster, user and context of `ours` in it, each in place of one of the same name. All other bytes stay as
 * they are, but for a kubeconfig written as one flow mapping (JSON), which is written anew in block form. The current context
 * is set only where there was none.
 * @throws LocalCloudError BAD_KUBECONFIG when `theirs` is no kubeconfig
 */
export function mergedKubeconfig(theirs: string, ours: string, context: string): string {
  if (theirs.trim() === '') return ours
  const part = partOf(ours, context)
  const parsed = blockForm(parseText(theirs))
  const current = parsed.map.get('current-context')
  return withEdits(parsed, [
    ...lists.flatMap((list) => part[list].flatMap((entry) => put(parsed, list, entry))),
    ...(current === undefined || current === null || current === '' ? [setCurrent(parsed, context)] : []),
  ])
}

/**
 * `theirs` without the context, and without its cluster and user where no other context names them. An entry of that name is
 * taken for ours; all other bytes stay as they are, with the exception of `mergedKubeconfig`.
 * @throws LocalCloudError BAD_KUBECONFIG
 */
export function unmergedKubeconfig(theirs: string, context: string): string {
  if (theirs.trim() === '') return theirs
  const { contexts } = parseText(theirs).document.toJS() as Kubeconfig
  const names = contexts?.find((entry) => entry.name === context)?.context
  if (names === undefined) return theirs
  const parsed = blockForm(parseText(theirs))
  const others = (contexts ?? [])
    .filter((entry) => entry.name !== context)
    .flatMap((entry) => entry.context ?? [])
  return withEdits(parsed, [
    ...remove(parsed, 'contexts', context),
    ...(others.some(({ cluster }) => cluster === names.cluster)
      ? []
      : remove(parsed, 'clusters', names.cluster)),
    ...(others.some(({ user }) => user === names.user) ? [] : remove(parsed, 'users', names.user)),
    ...(parsed.map.get('current-context') === context ? [setCurrent(parsed, '')] : []),
  ])
}

const bad = (problem: string, cause?: unknown): LocalCloudError =>
  new LocalCloudError('BAD_KUBECONFIG', {
    message: `The kubeconfig to change is not one: ${problem}.`,
    cause,
  })

function parseText(text: string): Parsed {
  const document = parseDocument(text, { keepSourceTokens: true })
  const [error] = document.errors
  if (error !== undefined) throw bad(error.message, error)
  if (!isMap(document.contents)) throw bad('it is no mapping')
  const map = document.contents as YAMLMap
  for (const list of lists) {
    const value = map.get(list)
    if (value !== undefined && value !== null && !isSeq(value)) throw bad(`${list} is no list`)
  }
  return { text, document, map }
}

/** The same kubeconfig in block form, which has lines to put something between. */
function blockForm(parsed: Parsed): Parsed {
  const flowing = [parsed.map, ...lists.map((list) => parsed.map.get(list))].some(
    (node) => isCollection(node) && node.flow === true && node.items.length > 0,
  )
  return flowing ? parseText(stringify(parse(parsed.text), { indentSeq: false, lineWidth: 0 })) : parsed
}

function partOf(ours: string, context: string): Required<Kubeconfig> {
  const config = parse(ours) as Kubeconfig
  const chosen = config.contexts?.filter((entry) => entry.name === context) ?? []
  const [{ context: names } = {}] = chosen
  if (names === undefined)
    throw new LocalCloudError('INTERNAL', { message: `Our kubeconfig has no context ${context}.` })
  return {
    contexts: chosen,
    clusters: config.clusters?.filter((entry) => entry.name === names.cluster) ?? [],
    users: config.users?.filter((entry) => entry.name === names.user) ?? [],
  }
}

const withEdits = ({ text }: Parsed, edits: readonly Edit[]): string =>
  [...edits]
    .sort((a, b) => b.start - a.start)
    .reduce((result, edit) => result.slice(0, edit.start) + edit.text + result.slice(edit.end), text)

/** Adds the entry to its list, or puts it in place of the one of its name unless that says the same. */
function put(parsed: Parsed, list: List, entry: { name: string }): Edit[] {
  const sequence = parsed.map.get(list)
  if (!isSeq(sequence) || sequence.items.length === 0) {
    return [
      setValue(parsed, list, `${newlineOf(parsed.text)}${itemText(parsed, entry, '')}`.replace(/\r?\n$/, '')),
    ]
  }
  const index = indexOf(sequence, entry.name)
  if (index === -1) {
    const { end, indent } = span(parsed, sequence, sequence.items.length - 1)
    const missingNewline = parsed.text[end - 1] === '\n' ? '' : newlineOf(parsed.text)
    return [{ start: end, end, text: missingNewline + itemText(parsed, entry, indent) }]
  }
  const found = (sequence.items[index] as Node).toJS(parsed.document) as unknown
  if (isDeepStrictEqual(found, entry)) return []
  const { start, end, indent } = span(parsed, sequence, index)
  return [{ start, end, text: itemText(parsed, entry, indent) }]
}

function remove(parsed: Parsed, list: List, name: string | undefined): Edit[] {
  const sequence = parsed.map.get(list)
  if (!isSeq(sequence) || name === undefined) return []
  const index = indexOf(sequence, name)
  if (index === -1) return []
  if (sequence.items.length === 1) return [setValue(parsed, list, ' []')]
  const { start, end } = span(parsed, sequence, index)
  return [{ start, end, text: '' }]
}

const setCurrent = (parsed: Parsed, context: string): Edit =>
  setValue(parsed, 'current-context', context === '' ? ' ""' : ` ${context}`)

/** Puts `value`, with what separates it from the colon, in place of a top-level key's value, or adds the key at the end. */
function setValue({ text, map }: Parsed, key: string, value: string): Edit {
  const pair = map.items.find((item) => isScalar(item.key) && item.key.value === key)
  if (pair === undefined) {
    const newline = newlineOf(text)
    return {
      start: text.length,
      end: text.length,
      text: `${text.endsWith('\n') ? '' : newline}${key}:${value}${newline}`,
    }
  }
  const start = text.indexOf(':', (pair.key as Scalar).range?.[1]) + 1
  const end = pair.value === null ? start : Math.max(start, contentEnd(pair.value as Node))
  return { start, end: text[end - 1] === '\n' ? end - 1 : end, text: value }
}

const indexOf = (sequence: YAMLSeq, name: string): number =>
  sequence.items.findIndex((item) => isMap(item) && item.get('name') === name)

/** The lines of one item: from its dash to the end of its last line. */
function span(
  { text }: Parsed,
  sequence: YAMLSeq,
  index: number,
): { start: number; end: number; indent: string } {
  const token = sequence.srcToken as CST.BlockSequence
  const dash = token.items[index]?.start.find(({ type }) => type === 'seq-item-ind')?.offset ?? 0
  const start = text.lastIndexOf('\n', dash - 1) + 1
  const last = contentEnd(sequence.items[index] as Node)
  const lineEnd = text[last - 1] === '\n' ? last : text.indexOf('\n', last) + 1
  return { start, end: lineEnd === 0 ? text.length : lineEnd, indent: text.slice(start, dash) }
}

/** Offset behind the last thing that is written of a node; block collections themselves reach over what follows them. */
function contentEnd(node: Node): number {
  if (isCollection(node) && node.flow !== true) {
    const last = node.items.at(-1)
    const inner = isMap(node) ? (last as YAMLMap['items'][number] | undefined)?.value : last
    if (inner !== undefined && inner !== null) return contentEnd(inner as Node)
  }
  return node.range?.[1] ?? 0
}

const newlineOf = (text: string): string => (text.includes('\r\n') ? '\r\n' : '\n')

/** An entry as an item of a list, in lines that begin with `indent`. */
function itemText({ text }: Parsed, entry: object, indent: string): string {
  const lines = stringify([entry], { lineWidth: 0, indentSeq: false }).trimEnd().split('\n')
  const newline = newlineOf(text)
  return lines.map((line) => `${indent}${line}${newline}`).join('')
}
