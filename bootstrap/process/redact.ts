const patterns: readonly [RegExp, string][] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g, '[private key removed]'],
  [/\b(authorization\s*:\s*(?:bearer|basic)\s+)\S+/gi, '$1[removed]'],
  [
    /\b((?:[\w-]*(?:token|password|passwd|secret|api[_-]?key|client-key-data|client-certificate-data))["']?\s*[=:]\s*["']?)[^\s"',}]{6,}/gi,
    '$1[removed]',
  ],
  [/\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})/g, '[removed]'],
  [/\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}/g, '[token removed]'],
  [/(\w+:\/\/[^\s/:@]+:)[^\s/@]+@/g, '$1[removed]@'],
]

/** Replaces keys, tokens, passwords and credentials in URLs, so that the text may be shown or stored. */
export function redact(text: string): string {
  return patterns.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text)
}
