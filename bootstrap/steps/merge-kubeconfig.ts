import { readFile } from 'node:fs/promises'
import { makerNames, type ProviderName } from '../plan/options.ts'
import type { Plan } from '../plan/plan.ts'
import { hasEntries, mergeEntries, removeEntries } from './kubeconfig-entries.ts'
import type { Session } from './session.ts'
import type { Step } from './step.ts'
import { editUserKubeconfig, readUserKubeconfig, userKubeconfigPath } from './user-kubeconfig.ts'

/** Name of the context under which a cluster is merged: that of the kubeconfig which its provider gives. */
export const contextName = (cluster: string, provider: ProviderName): string => `${provider}-${cluster}`

/** A kubeconfig without what an earlier `up` merged into it for this cluster, whichever provider had made that. */
const withoutCluster = (text: string, cluster: string): string | undefined =>
  makerNames.reduce<string | undefined>(
    (rest, provider) =>
      rest === undefined ? undefined : removeEntries(rest, contextName(cluster, provider)),
    text,
  )

/** Takes the cluster out of the user's kubeconfig where an earlier `up` merged it; returns the file's path if it was written. */
export async function unmergeKubeconfig(cluster: string): Promise<string | undefined> {
  const path = userKubeconfigPath()
  if ((await readUserKubeconfig(path)) === undefined) return undefined
  const written = await editUserKubeconfig(path, (text) =>
    text === undefined ? undefined : withoutCluster(text, cluster),
  )
  return written ? path : undefined
}

/** Puts the cluster into the user's kubeconfig, or takes it out where an earlier `up` put it there and this one does not. */
export function mergeKubeconfigStep(
  session: Session,
  { mergeKubeconfig: merge, provider }: Pick<Plan, 'mergeKubeconfig' | 'provider'>,
  needs: readonly string[],
): Step {
  const context = contextName(session.name, provider)
  const path = userKubeconfigPath()
  const ours = (): Promise<string> => readFile(session.files.kubeconfig, 'utf8')
  return {
    id: 'merge-kubeconfig',
    title: 'User’s kubeconfig',
    needs,
    timeoutMs: 30_000,
    async observe() {
      const text = await readUserKubeconfig(path)
      if (!merge) {
        const left = text !== undefined && withoutCluster(text, session.name) !== text
        return left
          ? { state: 'partial', reason: `${path} still has the context ${context}` }
          : { state: 'done', reason: 'not to be merged' }
      }
      const { cluster, kube } = await session.look()
      if (!cluster || !kube) return { state: 'absent', reason: `no cluster ${session.name} that answers` }
      return hasEntries(text, await ours())
        ? { state: 'done', reason: `${path} has the context ${context}` }
        : {
            state: 'absent',
            reason: `${path} does not have the current context ${context}`,
          }
    },
    async apply() {
      if (!merge) {
        await unmergeKubeconfig(session.name)
        return
      }
      const text = await ours()
      await editUserKubeconfig(path, (before) => mergeEntries(before, text))
      session.emit({
        type: 'notice',
        level: 'info',
        message: `${path} now has the context ${context}, which is current.`,
      })
    },
    verify: () => Promise.resolve(merge ? `context ${context} in ${path}` : `taken out of ${path}`),
    async undo() {
      await unmergeKubeconfig(session.name)
    },
  }
}
