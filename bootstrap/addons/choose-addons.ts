import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { UpOptions } from '../plan/options.ts'
import type { Addon } from './addon.ts'

/** The add-on that is the pod network, and enforces policies. */
export const networkAddon = 'cilium'

/** What the choice depends on. */
export type Choosable = Pick<Addon, 'name' | 'needs' | 'when' | 'ownClustersOnly'>

/**
 * The add-ons that are wanted, with all that they need, in the order given; those of RuntimeClasses that were asked for are always among them. With the nodes' own network the network add-on is none of them, and on
 * an existing cluster none that fits only clusters of ours.
 * @throws LocalCloudError BAD_VALUE naming those that there are when one is not known
 */
export function chooseAddons<T extends Choosable>(
  known: readonly T[],
  {
    addons,
    cni,
    provider,
    runtimeClasses = [],
  }: Pick<UpOptions, 'addons' | 'cni'> & Partial<Pick<UpOptions, 'provider' | 'runtimeClasses'>>,
): T[] {
  const possible = known.filter(({ name, ownClustersOnly = false }) =>
    provider === 'existing' ? !ownClustersOnly : cni === 'cilium' || name !== networkAddon,
  )
  if (addons === 'all') return possible
  const wanted = new Set<string>()
  const add = (name: string): void => {
    if (wanted.has(name)) return
    wanted.add(name)
    const addon = possible.find((one) => one.name === name)
    for (const need of addon?.needs ?? []) add(need)
  }
  for (const name of addons) {
    if (!possible.some((addon) => addon.name === name)) {
      throw new LocalCloudError('BAD_VALUE', {
        message: `--addons cannot name ${name}${provider === 'existing' && known.some((addon) => addon.name === name) ? ' with --provider existing: it fits only clusters that are made here' : ''}; there are ${possible.map((addon) => addon.name).join(', ')}.`,
      })
    }
    add(name)
  }
  for (const { name, when } of possible) if (runtimeClasses.some((one) => one === when)) add(name)
  // Without a network nothing that runs in pods works.
  if (cni === 'cilium' && provider !== 'existing' && wanted.size > 0) add(networkAddon)
  return possible.filter(({ name }) => wanted.has(name))
}
