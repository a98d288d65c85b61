import { rm } from 'node:fs/promises'
// Only to be loaded before the first start; the provider imports it late, for commands that make no such cluster.
import '@testcontainers/k3s'
import { freePort } from '../../bootstrap/host/free-port.ts'
import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
import { loadTypedClients } from '../../bootstrap/kube/typed-clients.ts'
import { ephemeralCluster, type EphemeralCluster } from './ephemeral-cluster.ts'
import { ownFolder, requireFolderSpace, sweepFolders } from './ephemeral-folder.ts'
import { ephemeralName, type EphemeralOptions } from './ephemeral-values.ts'
import { makeEphemeral } from './make-ephemeral.ts'
import { shareEphemeral } from './shared-ephemeral.ts'

export type { EphemeralCluster } from './ephemeral-cluster.ts'
export type { EphemeralOptions } from './ephemeral-values.ts'

// Each library takes half a second of this thread, which is over when the first cluster is asked for.
loadTypedClients()

/**
 * Starts a cluster of k3s containers through @testcontainers/k3s, with add-ons and a system where they are asked for, all of it proven as `up` does.
 * Clusters that a killed process left are removed first. Several may be started at once. With `reuse` it is one that is there already, where there is one.
 * @throws LocalCloudError as `up` does: BAD_VALUE before anything is made, NO_DISK_SPACE, ENGINE_DEAD, IMAGE_MISSING, NODE_START_FAILED with the stage;
 * INTERRUPTED when the signal aborts. Nothing is left then.
 * @param choosePort gives a host port that is free now; replaced in tests
 */
export async function startEphemeralCluster(
  options: EphemeralOptions = {},
  choosePort = freePort,
): Promise<EphemeralCluster> {
  const { reuse = 'none' } = options
  await sweepFolders()
  await requireFolderSpace()
  switch (reuse) {
    case 'none':
      return startOwn(options, choosePort)
    case 'worker':
    case 'run':
      return shareEphemeral(options, reuse)
    default:
      throw new LocalCloudError('BAD_VALUE', {
        message: `reuse is "${String(reuse)}"; it is one of none, worker, run.`,
      })
  }
}

async function startOwn(
  options: EphemeralOptions,
  choosePort: () => Promise<number>,
): Promise<EphemeralCluster> {
  const stateDir = await ownFolder()
  const stack = new AsyncDisposableStack()
  stack.defer(() => rm(stateDir, { recursive: true, force: true }))
  try {
    const name = ephemeralName()
    const there = await makeEphemeral(
      { options, name, stateDir, choosePort },
      { connection: stack, cluster: stack },
    )
    return ephemeralCluster(there, () => stack.disposeAsync())
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
