import { isMap, isSeq, parse, parseDocument, type Document, type YAMLMap, type YAMLSeq } from 'yaml'
import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** Name of the kubeconfig extension that marks our context, and what it holds. */
const extensionName = 'io.local-cloud'

interface Mark {
  /** Context that was current before ours; absent when there was none. */
  previousContext?: string
  /** Whether the file did not exist before. */
  createdFile?: boolean
}

interface Entry {
  name?: string
  cluster?: unknown
  user?: unknown
  context?: { cluster?: string; user?: string; extensions?: { name?: string; extension?: Mark }[] }
}

const sections = ['clusters', 'users', 'contexts'] as const

/**
 * The user's kubeconfig `text` (undefined: no file) with the cluster, user and context of `ours` in it, as the current
 * context. Everything else stays as it was, comments included. Our context carries a mark, so that `removeEntries` knows it.
 * @throws LocalCloudError BAD_VALUE when an entry of that name is there and is not ours, or the file is no kubeconfig.
 */
export function mergeEntries(text: string | undefined, ours: string): string {
  const source = parse(ours) as Record<(typeof sections)[number], Entry[]> & { 'current-context': string }
  const context = source.contexts[0]
  const name = context?.name
  if (context === undefined || name === undefined) {
    throw new LocalCloudError('INTERNAL', { message: 'The cluster’s kubeconfig names no context.' })
  }
  const document = read(text ?? 'apiVersion: v1\nkind: Config\n')
  const existing = entryOf(document, 'contexts', name)
  if (existing && !markOf(existing)) {
    throw new LocalCloudError('BAD_VALUE', {
      message: `The kubeconfig has a context ${name} already, which local-cloud did not write; it was left as it is.`,
      hint: 'Rename that context, or leave out --merge-kubeconfig.',
    })
  }
  const current = document.get('current-context')
  const before = existing
    ? markOf(existing)?.previousContext
    : typeof current === 'string'
      ? current
      : undefined
  const mark: Mark = {
    ...(before === undefined || before === '' || before === name ? {} : { previousContext: before }),
    ...(text === undefined || (existing && markOf(existing)?.createdFile === true)
      ? { createdFile: true }
      : {}),
  }
  const marked: Entry = {
    ...context,
    context: { ...context.context, extensions: [{ name: extensionName, extension: mark }] },
  }
  for (const section of sections) {
    const entries = section === 'contexts' ? [marked] : source[section]
    for (const entry of entries) putEntry(document, section, entry)
  }
  document.set('current-context', name)
  return write(document, text)
}

/** Whether `text` has the entries of `ours`, marked and with the same content. */
export function hasEntries(text: string | undefined, ours: string): boolean {
  if (text === undefined) return false
  try {
    return mergeEntries(text, ours) === text
  } catch {
    return false
  }
}

/**
 * `text` without the context of that name and its cluster and user, if the context is ours; the context that was current
 * before is so again. `undefined` when the file should be deleted, because merging had made it and nothing else is in it.
 * The text is returned unchanged when there is nothing of ours.
 */
export function removeEntries(text: string, contextName: string): string | undefined {
  if (!text.includes(extensionName)) return text
  const document = read(text)
  const entry = entryOf(document, 'contexts', contextName)
  const mark = entry && markOf(entry)
  if (!entry || !mark) return text
  removeEntry(document, 'contexts', contextName)
  if (entry.context?.cluster !== undefined) removeEntry(document, 'clusters', entry.context.cluster)
  if (entry.context?.user !== undefined) removeEntry(document, 'users', entry.context.user)
  if (document.get('current-context') === contextName) {
    if (mark.previousContext === undefined) document.delete('current-context')
    else document.set('current-context', mark.previousContext)
  }
  const empty = sections.every((section) => itemsOf(document, section).length === 0)
  return empty && mark.createdFile === true ? undefined : write(document, text)
}

function read(text: string): Document {
  const document = parseDocument(text)
  if (document.errors.length > 0 || (document.contents !== null && !isMap(document.contents))) {
    throw new LocalCloudError('BAD_VALUE', {
      message: 'The user’s kubeconfig is not readable YAML; it was left as it is.',
      hint: 'Repair the file, or leave out --merge-kubeconfig.',
    })
  }
  return document
}

function write(document: Document, before: string | undefined): string {
  // kubectl writes lists at the indentation of their key; other files are kept in their own style.
  const indentSeq = before !== undefined && /^ +- /m.test(before) && !/^- /m.test(before)
  return document.toString({ lineWidth: 0, indentSeq })
}

function itemsOf(document: Document, section: string): YAMLMap[] {
  const list = document.get(section)
  return isSeq(list) ? list.items.filter((item) => isMap(item)) : []
}

function entryOf(document: Document, section: string, name: string): Entry | undefined {
  return itemsOf(document, section)
    .find((item) => item.get('name') === name)
    ?.toJSON() as Entry | undefined
}

function markOf(entry: Entry): Mark | undefined {
  return entry.context?.extensions?.find((extension) => extension.name === extensionName)?.extension
}

function putEntry(document: Document, section: string, entry: Entry): void {
  if (!isSeq(document.get(section))) document.set(section, document.createNode([]))
  const list = document.get(section) as YAMLSeq
  list.flow = false
  const index = list.items.findIndex((item) => isMap(item) && item.get('name') === entry.name)
  const node = document.createNode(entry)
  if (index < 0) list.items.push(node)
  else list.items[index] = node
}

function removeEntry(document: Document, section: string, name: string): void {
  const list = document.get(section)
  if (!isSeq(list)) return
  list.items = list.items.filter((item) => !(isMap(item) && item.get('name') === name))
  if (list.items.length === 0) list.flow = true
}
