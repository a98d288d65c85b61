import { createReadStream } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { extract } from 'tar-stream'

/** References and image ids (`sha256:…` of the config) in an archive as `docker save` and `podman save` write it. */
export async function readArchive(path: string): Promise<{ ref: string; id: string }[]> {
  const reader = extract()
  const reading = pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), reader).catch(
    (error: unknown) => error,
  )
  let manifest: { Config: string; RepoTags: string[] | null }[] | undefined
  for await (const entry of reader) {
    if (entry.header.name === 'manifest.json')
      manifest = JSON.parse((await buffer(entry as never)).toString('utf8')) as typeof manifest
    else entry.resume()
  }
  const failure = await reading
  if (failure instanceof Error) throw failure
  return (manifest ?? []).flatMap(({ Config, RepoTags }) => {
    const digest = /([0-9a-f]{64})(\.json)?$/.exec(Config)?.[1]
    return digest === undefined ? [] : (RepoTags ?? ['']).map((ref) => ({ ref, id: `sha256:${digest}` }))
  })
}
