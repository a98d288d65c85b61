import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, YAMLParseError } from 'yaml'
import { z } from 'zod'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { features, type Feature } from './addon.ts'

const schema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z]([-a-z0-9]{0,22}[a-z0-9])?$/, 'must be lower case letters, digits and dashes, at most 24'),
  title: z.string().min(1),
  version: z.string().min(1),
  needs: z.array(z.string()),
  images: z.array(
    z
      .string()
      .regex(
        /^[a-z0-9.-]+\.[a-z]+\/[^\s:@]+(:[\w.-]+|@sha256:[0-9a-f]{64})$/,
        'must be registry/repository:tag in full',
      ),
  ),
  timeout: z.string().regex(/^[1-9]\d*[sm]$/, 'must be seconds or minutes, such as 90s or 2m'),
  probe: z.string().min(1),
  when: z.enum(features).exactOptional(),
  ownClustersOnly: z.boolean().exactOptional(),
  nodePrograms: z.array(z.string().startsWith('/', 'must be an absolute path in a node')).exactOptional(),
})

/** What `addon.yaml` says, checked; the time-out in milliseconds. */
export interface AddonFile {
  name: string
  title: string
  version: string
  needs: string[]
  images: string[]
  timeoutMs: number
  /** What the user gets: what the probe proves. */
  promise: string
  /** Only for clusters that have it; always without. */
  when?: Feature
  /** Whether it fits only clusters that are made here. */
  ownClustersOnly?: boolean
  /** Programs that every node must have for it, by path. */
  nodePrograms?: string[]
}

/**
 * Reads and checks `addon.yaml` of an add-on's folder.
 * @throws LocalCloudError BAD_ADDON with file and field
 */
export async function readAddonFile(directory: string, folder: string): Promise<AddonFile> {
  const file = join(directory, 'addon.yaml')
  const parsed = schema.safeParse(await readYaml(file))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const field = issue?.path.join('.') ?? ''
    throw badAddon(file, field === '' ? 'the document' : field, issue?.message ?? 'is not valid')
  }
  const { timeout, probe, ...rest } = parsed.data
  if (rest.name !== folder)
    throw badAddon(file, 'name', `must be the folder's name, ${folder}, and is ${rest.name}`)
  return {
    ...rest,
    promise: probe,
    timeoutMs: Number.parseInt(timeout, 10) * (timeout.endsWith('m') ? 60_000 : 1_000),
  }
}

/** The error for a folder that is not an add-on: which file, which field, what is wrong. */
export function badAddon(file: string, field: string, problem: string, cause?: unknown): LocalCloudError {
  return new LocalCloudError('BAD_ADDON', { message: `${file}: ${field}: ${problem}`, cause })
}

async function readYaml(file: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw badAddon(file, 'the file', 'cannot be read', error)
  }
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof YAMLParseError)
      throw badAddon(file, 'the document', error.message.split('\n')[0] ?? 'is not YAML', error)
    throw error
  }
}
