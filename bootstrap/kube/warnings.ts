/**
 * The texts of an HTTP `Warning` header (RFC 7234 section 5.5), which is how the API server sends warnings:
 * `299 - "would violate PodSecurity …", 299 - "…"`.
 */
export function warningTexts(header: string | readonly string[] | undefined): string[] {
  const text = [header ?? []].flat().join(', ')
  return [...text.matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, quoted = '']) =>
    quoted.replaceAll(/\\(.)/g, '$1'),
  )
}
