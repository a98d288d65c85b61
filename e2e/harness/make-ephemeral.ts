import { rememberImages } from '../../bootstrap/engine/remember-images.ts'
import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
import { freePort } from '../../bootstrap/host/free-port.ts'
import { typedClients } from '../../bootstrap/kube/typed-clients.ts'
import { parseUpOptions, type UpOptions } from '../../bootstrap/plan/options.ts'
import { createEphemeralProvider, sweepAbandoned } from '../../bootstrap/providers/k3s/ephemeral-provider.ts'
import { ownCgroupV2 } from '../../bootstrap/providers/k3s/k3s-image.ts'
import { prepareUp } from '../../bootstrap/steps/prepare-up.ts'
import { realTools } from '../../bootstrap/steps/real-tools.ts'
import { runSteps } from '../../bootstrap/steps/run-steps.ts'
import { ingressUrl } from '../../bootstrap/steps/up-steps.ts'
import { stopMs, type ThereIs } from './ephemeral-cluster.ts'
import { useApi } from './shared-api.ts'
import { ephemeralPaths } from './ephemeral-paths.ts'
import { ephemeralValues, type EphemeralOptions } from './ephemeral-values.ts'

/** How often other host ports are chosen because somebody took one of them before the cluster had it. */
const portTries = 3
/** Milliseconds for a whole start, when nobody says otherwise. */
export const startMs = 600_000

export interface MakeEphemeral {
  options: EphemeralOptions
  name: string
  /** For its files, a folder of its own. */
  stateDir: string
  /** The process whose end makes it nobody's; default this one. */
  owner?: number
  /** Gives a host port that is free now. */
  choosePort?: () => Promise<number>
}

/** What has to be ended: the connection to the engine's API when the cluster is made, or later; the cluster itself. May be one. */
export interface Ends {
  connection: AsyncDisposableStack
  cluster: AsyncDisposableStack
}

/**
 * Makes a cluster with all that the options ask for. What has to be ended is put on `ends`, also when this throws; ephemeral clusters whose process is
 * gone are removed first.
 * @throws LocalCloudError as `up` does
 */
export async function makeEphemeral(
  { options, name, stateDir, owner, choosePort = freePort }: MakeEphemeral,
  ends: Ends,
): Promise<ThereIs> {
  const { timeoutMs = startMs, onProgress = () => undefined } = options
  const signal = AbortSignal.any([
    ...(options.signal === undefined ? [] : [options.signal]),
    AbortSignal.timeout(timeoutMs),
  ])
  const paths = ephemeralPaths(stateDir, options.cacheDir)
  const choose = async (): Promise<UpOptions> =>
    parseUpOptions(ephemeralValues(options, name, [await choosePort(), await choosePort()]), paths)
  const chosen = await choose()
  const emit = (event: { type: string; message?: string; title?: string }): void => {
    if (event.type === 'progress' || event.type === 'notice') onProgress(event.message ?? '')
    if (event.type === 'started') onProgress(event.title ?? '')
  }
  const first = realTools({ ...chosen, emit })
  const opened = await first.openEngine(signal, onProgress)
  const engine = rememberImages(opened)
  const beginnings = [
    useApi(engine, signal).then((used) => ends.connection.use(used)),
    first.imageSource(chosen.images, engine, signal),
    sweepAbandoned(engine, signal),
  ] as const
  // All of them, before one that failed ends this: what is open is to be on its stack then.
  await Promise.allSettled(beginnings)
  const [api, source] = await Promise.all(beginnings)
  const provider = createEphemeralProvider({
    engine,
    paths,
    socket: api.url,
    ...(owner === undefined ? {} : { owner }),
  })
  provider.load()
  ends.cluster.defer(() =>
    provider.delete(name, { signal: AbortSignal.timeout(stopMs), progress: () => undefined }),
  )
  const bringUp = async (upOptions: UpOptions): Promise<ThereIs> => {
    const tools = {
      // These containers share the host's cgroup namespace, so that its root is not theirs.
      ...realTools({
        ...upOptions,
        emit,
        ...(source.kind === 'registry' ? {} : { cgroupV2Root: ownCgroupV2 }),
      }),
      findEngine: () => Promise.resolve(engine),
      openEngine: () => Promise.resolve(engine),
      imageSource: () => Promise.resolve(source),
      provider: () => Promise.resolve(provider),
      prepareProvider: () => Promise.resolve(),
    }
    const { session, graph } = await prepareUp({
      options: upOptions,
      tools,
      toolVersion: 'ephemeral',
      emit,
      signal,
    })
    try {
      await runSteps(graph.steps, { emit, signal })
    } catch (error) {
      if (options.logs !== undefined)
        await provider.exportLogs(name, options.logs, AbortSignal.timeout(stopMs))
      throw error
    }
    const kubeconfig = await provider.kubeconfig(name, signal)
    return {
      name,
      kubeconfig,
      kubeconfigFile: session.files.kubeconfig,
      kube: await session.kube(),
      api: await typedClients(kubeconfig),
      ingressUrl: ingressUrl(upOptions),
      engine: opened,
      provider,
      folder: stateDir,
      timeoutMs,
    }
  }
  for (let left = portTries, upOptions = chosen; ; left -= 1, upOptions = await choose()) {
    try {
      return await bringUp(upOptions)
    } catch (error) {
      if (!(error instanceof LocalCloudError) || error.code !== 'PORT_TAKEN' || left === 0) throw error
      onProgress(`${error.message} Others are chosen.`)
    }
  }
}
