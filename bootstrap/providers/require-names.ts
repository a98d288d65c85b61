import type { Engine } from '../engine/engine.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** @throws LocalCloudError MISSING_TOOL when several nodes are wanted and this engine's containers do not find each other by name */
export function requireNames(engine: Engine, nodes: number): void {
  if (nodes === 1 || engine.resolvesNames) return
  throw new LocalCloudError('MISSING_TOOL', {
    message: `A cluster of ${String(nodes)} nodes needs container names to resolve, and ${engine.kind} on this machine does not do that.`,
    hint: 'Remove all podman containers, install netavark and aardvark-dns (Debian, Ubuntu: apt-get install netavark aardvark-dns) and run the command again, or use one node.',
  })
}
