/** A reference with registry and tag written out, as containerd keeps it: `slate:local` is `docker.io/library/slate:local`. */
export function canonicalReference(ref: string): string {
  const [first = '', ...rest] = ref.split('/')
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  const full = hasRegistry ? ref : `docker.io/${rest.length === 0 ? 'library/' : ''}${ref}`
  return /:[^/]+$/.test(full) ? full : `${full}:latest`
}
