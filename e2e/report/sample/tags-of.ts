export interface Tag {
  name: string
  attributes: Record<string, string>
}

/** Elements that have no end, not even of their own. */
const empty: readonly string[] = ['meta', 'br']

/**
 * The elements of a page, in order, read as a browser would read markup in which every attribute is quoted.
 * @throws Error when an element is not closed, or something is closed that is not open.
 */
export function tagsOf(page: string): Tag[] {
  const open: string[] = []
  const tags: Tag[] = []
  // The style sheet is text to a browser, not markup.
  const text = page.replace(/<style>[^]*?<\/style>/, '<style></style>').replace('<!doctype html>', '')
  const token = /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9-]*(?:="[^"]*")?)*)\s*(\/?)>|<|>/g
  for (const [found, close, name, attributes = '', selfClosed] of text.matchAll(token)) {
    if (name === undefined) throw new Error(`a bare ${found}`)
    if (close === '/') {
      const last = open.pop()
      if (last !== name) throw new Error(`</${name}> closes <${last ?? 'nothing'}>`)
      continue
    }
    tags.push({
      name,
      attributes: Object.fromEntries(
        [...attributes.matchAll(/([a-zA-Z][a-zA-Z0-9-]*)(?:="([^"]*)")?/g)].map(
          ([, key = '', value = '']) => [key, value],
        ),
      ),
    })
    if (selfClosed !== '/' && !empty.includes(name)) open.push(name)
  }
  if (open.length > 0) throw new Error(`never closed: ${open.join(', ')}`)
  return tags
}
