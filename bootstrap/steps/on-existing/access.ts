import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { selectContext, userKubeconfigFiles, type SelectedContext } from '../../existing/select-context.ts'
import type { Paths, ProviderName, UpOptions } from '../../plan/options.ts'
import { clusterFiles } from '../cluster-files.ts'
import type { ExistingAccess } from '../session.ts'

/** Which context the flags of a command name. */
export interface AccessFlags
  extends Pick<UpOptions, 'name'>, Partial<Pick<UpOptions, 'context' | 'kubeconfig'>> {
  /** Absent where the command leaves it to the state directory. */
  provider?: ProviderName
}

/** Where the kubeconfig of an existing cluster came from: what `up` was told, for the commands after it. */
const sourceShape = z.object({ context: z.string(), files: z.array(z.string()) })

/** File in which that is kept, below `clusters/NAME/`. */
const sourceFile = (paths: Paths, name: string): string =>
  join(clusterFiles(paths, name).folder, 'context.json')

/** How an existing cluster is reached, and where that is written down. */
export interface FoundAccess extends ExistingAccess {
  source: z.output<typeof sourceShape>
}

/**
 * The way to the existing cluster of this name: by the flags, else as the state directory remembers it. The user's kubeconfig is read anew
 * each time, for credentials change; the copy in the state directory counts where that no longer has the context. Undefined when neither
 * says that the cluster is an existing one.
 * @throws LocalCloudError BAD_VALUE that lists the contexts there are; BAD_KUBECONFIG; CHANGE_NEEDS_RECREATE when the flags lead to another
 * cluster than the one that the state directory remembers under this name
 */
export async function findAccess(
  paths: Paths,
  flags: AccessFlags,
  env: Record<string, string | undefined> = process.env,
): Promise<FoundAccess | undefined> {
  const { name, context, kubeconfig } = flags
  const remembered = await rememberedSource(paths, name)
  if (flags.provider !== 'existing' && remembered === undefined) return undefined
  if (flags.provider !== undefined && flags.provider !== 'existing') return undefined
  const files = kubeconfig === undefined ? undefined : [kubeconfig]
  if (context === undefined && kubeconfig === undefined && remembered !== undefined) {
    const copy = clusterFiles(paths, name).kubeconfig
    try {
      return { ...selectContext(remembered.files, remembered.context), source: remembered }
    } catch (error) {
      if (!(error instanceof LocalCloudError) || !existsSync(copy)) throw error
      return { ...selectContext([copy], remembered.context), source: remembered }
    }
  }
  const from = files ?? userKubeconfigFiles(env)
  const wanted = context ?? remembered?.context
  const selected = selectContext(from, wanted)
  if (remembered !== undefined) requireSameServer(paths, name, remembered.context, selected)
  return { ...selected, source: { context: selected.context, files: from } }
}

/** One name is on one cluster: what is on the first would be forgotten. */
function requireSameServer(
  paths: Paths,
  name: string,
  context: string,
  { server, context: wanted }: SelectedContext,
): void {
  const copy = clusterFiles(paths, name).kubeconfig
  if (!existsSync(copy) || selectContext([copy], context).server === server) return
  throw new LocalCloudError('CHANGE_NEEDS_RECREATE', {
    message: `${name} is on the cluster of context ${context}, and the context ${wanted} leads to another one.`,
    hint: `Choose another --name, or remove that first: bootstrap/down --name ${name}`,
  })
}

async function rememberedSource(
  paths: Paths,
  name: string,
): Promise<z.output<typeof sourceShape> | undefined> {
  const plan = await clusterFiles(paths, name).plan()
  const file = sourceFile(paths, name)
  if (plan?.provider !== 'existing' || !existsSync(file)) return undefined
  return sourceShape.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data
}

/** Whether what is written down leads there as well, with the same credentials. */
export async function isRemembered(
  paths: Paths,
  name: string,
  { kubeconfig, source }: FoundAccess,
): Promise<boolean> {
  const copy = clusterFiles(paths, name).kubeconfig
  const remembered = await rememberedSource(paths, name)
  return (
    JSON.stringify(remembered) === JSON.stringify(source) &&
    existsSync(copy) &&
    readFileSync(copy, 'utf8') === kubeconfig
  )
}

/** Writes down how the cluster is reached, for the commands after this one. */
export async function rememberAccess(
  paths: Paths,
  name: string,
  { kubeconfig, source }: FoundAccess,
): Promise<void> {
  const files = clusterFiles(paths, name)
  await files.writeKubeconfig(kubeconfig)
  await files.write('context.json', JSON.stringify(source))
}

/**
 * One name is one cluster: refuses it for an existing one while a cluster of ours has it in this state directory, and the other way round.
 * @throws LocalCloudError CHANGE_NEEDS_RECREATE
 */
export async function requireSameOrigin(
  paths: Paths,
  { name, provider }: Pick<UpOptions, 'name' | 'provider'>,
): Promise<void> {
  const plan = await clusterFiles(paths, name).plan()
  if (plan === undefined || (plan.provider === 'existing') === (provider === 'existing')) return
  throw new LocalCloudError('CHANGE_NEEDS_RECREATE', {
    message:
      plan.provider === 'existing'
        ? `${name} is what was put on an existing cluster, not a cluster that --provider ${provider} could make.`
        : `${name} is a cluster that --provider ${plan.provider} made, not an existing one.`,
    hint: `Choose another --name, or remove that first: bootstrap/down --name ${name}`,
  })
}
