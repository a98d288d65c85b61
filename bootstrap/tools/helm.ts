import { toolPath, type ToolOptions } from './unpack-layer.ts'

/** Path of a Helm 4: see `toolPath`. */
export const helmPath = (options: ToolOptions): Promise<string> => toolPath('helm', options)
