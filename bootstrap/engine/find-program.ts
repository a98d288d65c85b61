import { accessSync, constants, statSync } from 'node:fs'
import path from 'node:path'

/** Absolute path of an executable on the search path (default: this process's), then in `more` folders; undefined when absent. */
export function findProgram(
  name: string,
  searchPath = process.env['PATH'] ?? '',
  more: readonly string[] = [],
): string | undefined {
  return [...searchPath.split(path.delimiter), ...more]
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return statSync(file).isFile()
      } catch {
        return false
      }
    })
}
