import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import { tierWarning } from '../plan/gpu-plan.ts'
import { requireDiskSpace } from '../host/disk.ts'
import { parseUpOptions, type UpOptions } from '../plan/options.ts'
import { capabilityLines } from '../existing/capabilities.ts'
import type { Plan } from '../plan/plan.ts'
import { providerNote, providerWords } from '../providers/provider-words.ts'
import type { Event } from '../report/events.ts'
import { withLock } from '../state/lock.ts'
import { prepareUp } from '../steps/prepare-up.ts'
import type { RecordedImages } from '../steps/record.ts'
import { realTools } from '../steps/real-tools.ts'
import { observeSteps, runSteps } from '../steps/run-steps.ts'
import type { Tools } from '../steps/tools.ts'
import type { CommandContext, UpValues } from './command-context.ts'
import { commandDeadline } from './command-deadline.ts'
import { plannedTable } from './planned-table.ts'
import { toolVersion } from './tool-version.ts'
import { namespacesOf, servedUrls, summaryText, type UpSummary } from './up-summary.ts'

/** What is written into the state directory at most: kubectl (56 MiB), kind (11 MiB) and the files of a cluster. */
const stateBytes = 96 * 2 ** 20

/** `up`: brings everything to where the options want it and tells where it answers; with `--dry-run` only tells the plan. */
export async function run(context: CommandContext<UpValues>): Promise<void> {
  const options = parseUpOptions({ ...context.values }, context.paths)
  await up(context, options, realTools({ ...options, emit: context.emit }))
}

/** The same with checked options and the given tools. */
export async function up(
  context: Pick<CommandContext, 'emit' | 'signal' | 'out' | 'json' | 'paths'>,
  options: UpOptions,
  tools: Tools,
): Promise<void> {
  const { emit, signal, out, json, paths } = context
  if (options.dryRun) {
    const { graph } = await prepareUp({ options, tools, toolVersion: toolVersion(paths.repo), emit, signal })
    const steps = await observeSteps(graph.steps, { emit: () => undefined, signal })
    if (json) emit({ type: 'planned', steps })
    else out(await plannedTable(steps))
    if (!json && graph.capabilities)
      out(['', 'What the cluster has:', ...capabilityLines(await graph.capabilities(signal))].join('\n'))
    return
  }
  await requireDiskSpace({
    place: paths.stateDir,
    bytes: stateBytes,
    what: 'up',
    otherwise: 'put the state on another disk with --state-dir',
  })
  const summary = await withLock(paths, options.name, { emit, signal }, () =>
    bringUp(context, options, tools),
  )
  out(json ? JSON.stringify(summary) : summaryText(summary))
}

async function bringUp(
  context: Pick<CommandContext, 'emit' | 'signal'>,
  options: UpOptions,
  tools: Tools,
): Promise<UpSummary> {
  const started = Date.now()
  const deadline = commandDeadline('up', options.timeoutMs, context.signal)
  const emit = (event: Event): void => {
    if ('step' in event && event.step === 'images') {
      // Building images takes as long as it takes.
      if (event.type === 'started') deadline.pause()
      else if (event.type !== 'progress') deadline.resume()
    }
    context.emit(event)
  }
  try {
    const { session, plan, graph } = await prepareUp({
      options,
      tools,
      toolVersion: toolVersion(options.paths.repo),
      emit,
      signal: deadline.signal,
      remainingMs: () => deadline.remainingMs(),
    })
    const outcomes = await runSteps(graph.steps, { emit, signal: deadline.signal })
    const objects = await graph.render({ signal: deadline.signal })
    const { record } = await session.look()
    return {
      type: 'result',
      command: 'up',
      cluster: options.name,
      changed: outcomes.some(({ outcome }) => outcome === 'succeeded'),
      ms: Date.now() - started,
      kubeconfig: session.files.kubeconfig,
      urls: servedUrls(objects, plan),
      images: record?.images ? { source: record.images.source, why: record.images.why } : undefined,
      ...(graph.capabilities ? { capabilities: await graph.capabilities(deadline.signal) } : {}),
      systems: await Promise.all(
        plan.systems.map(async (system, index) => ({
          ...system,
          namespaces: namespacesOf((await graph.systems[index]?.render({ signal: deadline.signal })) ?? []),
        })),
      ),
      notes: notesOn(record?.images?.source, plan),
    }
  } catch (error) {
    tellHowToGoOn(context, options, toLocalCloudError(error).family)
    throw error
  } finally {
    deadline.dispose()
  }
}

/** What the result does not show about how real it is. */
function notesOn(
  source: RecordedImages['source'] | undefined,
  { gpu, provider }: Pick<Plan, 'gpu' | 'provider'>,
): string[] {
  return [
    source === 'packages'
      ? 'They were built here from the projects’ packages under the upstream names; they are not the upstream images.'
      : '',
    providerNote(providerWords(provider, source)),
    provider === 'existing'
      ? 'The cluster is somebody else’s: its nodes, network and images are as its owner has them, and down removes only what up put there.'
      : '',
    gpu === undefined ? '' : tierWarning(gpu.tier),
  ].filter((note) => note !== '')
}

function tellHowToGoOn({ emit }: Pick<CommandContext, 'emit'>, options: UpOptions, family: string): void {
  if (family === 'usage' || family === 'config' || family === 'prerequisite' || family === 'manifest') return
  const name = options.name === 'local-cloud' ? '' : ` --name ${options.name}`
  emit({
    type: 'notice',
    level: 'info',
    message: `Nothing was taken back: the same command goes on where this one stopped. All that is known in one archive: npx zx bootstrap/logs.mjs${name}`,
  })
}
