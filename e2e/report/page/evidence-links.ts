import { markup, type Markup } from './markup.ts'

/** Links to the files of a bundle, beside the page. A path that is not relative, or leaves the folder of the report, is shown but not linked. */
export function evidenceLinks(files: readonly string[] | undefined): Markup | undefined {
  if (files === undefined || files.length === 0) return undefined
  return markup`<p class="evidence"><b>Evidence</b> ${files.map((file) => {
    const href = hrefOf(file)
    return href === undefined
      ? markup`<span class="file">${file}</span> `
      : markup`<a class="file" href="${href}">${file}</a> `
  })}</p>`
}

function hrefOf(file: string): string | undefined {
  const parts = file.split('/').filter((part) => part !== '.')
  if (file.startsWith('/') || file.includes('\\') || parts.includes('..') || parts.length === 0)
    return undefined
  // A first part with a colon would be taken for a scheme; after "./" nothing is.
  return `./${parts.map((part) => encodeURIComponent(part)).join('/')}`
}
