/** Whether a registry holds an image. */
export type RegistryAnswer = { available: true } | { available: false; reason: string }

const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

/** Parts of a fully qualified reference such as `docker.io/kindest/node:v1.36.4`. */
export function parseReference(ref: string): { host: string; repository: string; tag: string } {
  const slash = ref.indexOf('/')
  const colon = ref.lastIndexOf(':')
  const host = ref.slice(0, slash)
  return {
    host: host === 'docker.io' ? 'registry-1.docker.io' : host,
    repository: ref.slice(slash + 1, colon),
    tag: ref.slice(colon + 1),
  }
}

/**
 * Asks a registry for a manifest by the OCI distribution specification 1.1 (with an anonymous token where it wants one) and gives up
 * after `timeoutMs`. Never throws for a registry that is slow, absent or refuses.
 */
export async function askRegistry(
  ref: string,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<RegistryAnswer> {
  const { host, repository, tag } = parseReference(ref)
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)])
  const url = `https://${host}/v2/${repository}/manifests/${tag}`
  const ask = (headers: Record<string, string>): Promise<Response> =>
    fetch(url, { method: 'HEAD', headers: { accept: manifestTypes, ...headers }, signal })
  try {
    let response = await ask({})
    const challenge = /Bearer realm="([^"]+)"(?:,service="([^"]+)")?/.exec(
      response.headers.get('www-authenticate') ?? '',
    )
    if (response.status === 401 && challenge?.[1] !== undefined) {
      const query = new URLSearchParams({
        service: challenge[2] ?? host,
        scope: `repository:${repository}:pull`,
      })
      const grant = (await (await fetch(`${challenge[1]}?${query.toString()}`, { signal })).json()) as {
        token?: string
      }
      response = await ask({ authorization: `Bearer ${grant.token ?? ''}` })
    }
    return response.ok
      ? { available: true }
      : { available: false, reason: `${host} answered ${String(response.status)}` }
  } catch (error) {
    return { available: false, reason: describe(error, host, options.timeoutMs) }
  }
}

function describe(error: unknown, host: string, timeoutMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError')
    return `${host} did not answer within ${String(timeoutMs / 1000)} s`
  const cause = error instanceof Error ? (error.cause as { code?: string } | undefined)?.code : undefined
  return `${host} cannot be reached${cause === undefined ? '' : `: ${cause}`}`
}
