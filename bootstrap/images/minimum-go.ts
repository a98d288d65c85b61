import { versionAtLeast } from '../host/version-at-least.ts'

/** Oldest Go that the pinned modules accept: the highest `go` line among them, which is gVisor's. */
export const minimumGo = '1.26.3'

/** Whether the toolchain of this version, `go1.26.8`, can build everything; undefined where there is none. Pure. */
export const isNewEnoughGo = (version: string | undefined): boolean =>
  version !== undefined && versionAtLeast(version, minimumGo)
