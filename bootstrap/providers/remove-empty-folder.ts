import { existsSync, readdirSync, rmdirSync } from 'node:fs'

/** Removes a folder that holds nothing; one that holds something, or is not there, is left as it is. */
export function removeEmptyFolder(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder)
}
