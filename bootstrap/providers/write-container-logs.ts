import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { ContainerInfo, Engine } from '../engine/engine.ts'

/** Lines of each container's log that are kept. */
const mostLines = 20_000

/** Writes each container's own log to `<directory>/<container>/container.log`. */
export async function writeContainerLogs(
  engine: Engine,
  containers: readonly ContainerInfo[],
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  mkdirSync(directory, { recursive: true })
  await Promise.all(
    containers.map(async ({ name }) => {
      mkdirSync(path.join(directory, name), { recursive: true })
      const text = await engine.logs(name, { tail: mostLines, signal })
      writeFileSync(path.join(directory, name, 'container.log'), text)
    }),
  )
}
