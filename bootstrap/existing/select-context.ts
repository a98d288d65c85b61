import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path'
import { parse, stringify } from 'yaml'
import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** One context of the user's kubeconfig, cut out. */
export interface SelectedContext {
  context: string
  /** Address of its API server. */
  server: string
  /** A kubeconfig of this context only; files that it names are absolute, so that it works from anywhere. */
  kubeconfig: string
}

interface File {
  clusters?: ({ name?: string } & Record<string, unknown>)[]
  users?: ({ name?: string } & Record<string, unknown>)[]
  contexts?: ({ name?: string } & Record<string, unknown>)[]
}

type Fields = Record<string, unknown>

/** Files that kubectl reads: those of KUBECONFIG, else ~/.kube/config. */
export const userKubeconfigFiles = (env: Record<string, string | undefined> = process.env): string[] => {
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '')
  return listed.length > 0 ? listed : [join(env['HOME'] ?? homedir(), '.kube', 'config')]
}

/**
 * Cuts a context out of kubeconfig files, which are only read; of entries of one name the first counts
 * (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#merging-kubeconfig-files). The current context
 * is never taken by itself: what is meant for one cluster must not end on another.
 * @throws LocalCloudError BAD_VALUE that lists the contexts there are when it is not one of them, or none is named; BAD_KUBECONFIG
 */
export function selectContext(files: readonly string[], context: string | undefined): SelectedContext {
  const there = files.filter((file) => existsSync(file)).map((file) => ({ file, content: read(file) }))
  const contexts = entries(there, 'contexts')
  const chosen = contexts.find(({ name }) => name === context)?.value as
    { cluster?: string; user?: string } | undefined
  if (context === undefined || chosen === undefined) {
    const names = contexts.map(({ name }) => name)
    throw new LocalCloudError('BAD_VALUE', {
      message:
        context === undefined
          ? '--provider existing needs --context NAME: which cluster is meant is never guessed.'
          : `--context ${context}: there is no such context in ${files.join(', ')}.`,
      hint:
        names.length === 0
          ? `There is no context at all in ${files.join(', ')}; name another file with --kubeconfig.`
          : `There are: ${names.join(', ')}.`,
    })
  }
  const find = (key: 'cluster' | 'user'): Fields => {
    const found = entries(there, `${key}s`).find(({ name }) => name === chosen[key])
    if (found === undefined)
      throw new LocalCloudError('BAD_KUBECONFIG', {
        message: `The context ${context} names the ${key} ${String(chosen[key])}, which is not in ${files.join(', ')}.`,
      })
    return found.value
  }
  const cluster = find('cluster')
  const kubeconfig = stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: chosen.cluster, cluster }],
      users: [{ name: chosen.user, user: find('user') }],
      contexts: [{ name: context, context: chosen }],
      'current-context': context,
    },
    { lineWidth: 0 },
  )
  const { server } = cluster
  return { context, server: typeof server === 'string' ? server : '', kubeconfig }
}

function read(file: string): File {
  try {
    const content = parse(readFileSync(file, 'utf8')) as unknown
    if (content === null) return {}
    if (typeof content === 'object' && !Array.isArray(content)) return content
  } catch (error) {
    throw new LocalCloudError('BAD_KUBECONFIG', {
      message: `The kubeconfig ${file} cannot be read.`,
      cause: error,
    })
  }
  throw new LocalCloudError('BAD_KUBECONFIG', { message: `The kubeconfig ${file} is not one.` })
}

/** Entries of one list by name, the first of each, with their files' paths made absolute. */
function entries(
  files: readonly { file: string; content: File }[],
  list: 'clusters' | 'users' | 'contexts',
): { name: string; value: Fields }[] {
  const found = new Map<string, Fields>()
  for (const { file, content } of files)
    for (const item of content[list] ?? []) {
      const { name } = item
      if (name === undefined || found.has(name)) continue
      const value = (item[list.slice(0, -1)] ?? {}) as Fields
      found.set(name, absolute(value, dirname(resolve(file))))
    }
  return [...found].map(([name, value]) => ({ name, value }))
}

/** Fields that hold a path, relative to the kubeconfig they stand in (client-go, clientcmd/loader.go, ResolvePaths). */
const pathFields = ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile']

function absolute(fields: Fields, directory: string): Fields {
  const moved = Object.fromEntries(
    Object.entries(fields).map(([field, value]) => [
      field,
      pathFields.includes(field) && typeof value === 'string' && value !== ''
        ? resolve(directory, value)
        : value,
    ]),
  )
  const exec = moved['exec'] as { command?: string } | undefined
  // A command with a folder in it is one beside the file; a bare name is looked up in PATH.
  return exec?.command?.includes('/') === true && !isAbsolute(exec.command)
    ? { ...moved, exec: { ...exec, command: resolve(directory, exec.command) } }
    : moved
}
