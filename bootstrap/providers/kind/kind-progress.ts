/** What a line of `kind create cluster` tells a user, undefined for lines that tell nothing. */
export function kindProgress(line: string): string | undefined {
  const match = /^\s*•\s*(.+?)\s*\.\.\.\s*$/u.exec(line)
  const words = match?.[1]
    ?.replace(/[\p{Extended_Pictographic}\uFE0F\u200D]/gu, '')
    .replace(/\s+/g, ' ')
    .trim()
  return words === undefined || words === '' ? undefined : words
}
