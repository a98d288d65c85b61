import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import { parseUpOptions, type UpOptions } from '../plan/options.ts'
import { makePlan, type Plan } from '../plan/plan.ts'
import type { Event } from '../report/events.ts'
import { withLock } from '../state/lock.ts'
import { readPatches } from '../steps/cluster.ts'
import { realTools } from '../steps/real-tools.ts'
import { observeSteps, runSteps } from '../steps/run-steps.ts'
import { createSession, type Session } from '../steps/session.ts'
import type { Tools } from '../steps/tools.ts'
import { upSteps, type UpGraph } from '../steps/up-steps.ts'
import type { CommandContext, UpValues } from './command-context.ts'
import { commandDeadline, type CommandDeadline } from './command-deadline.ts'
import { plannedTable } from './planned-table.ts'
import { toolVersion } from './tool-version.ts'
import { namespacesOf, servedUrls, summaryText, type UpSummary } from './up-summary.ts'

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
    const { graph } = await prepare(context, options, tools)
    const steps = await observeSteps(graph.steps, { emit: () => undefined, signal })
    if (json) emit({ type: 'planned', steps })
    else out(await plannedTable(steps))
    return
  }
  const summary = await withLock(paths, options.name, { emit, signal }, () =>
    bringUp(context, options, tools),
  )
  out(json ? JSON.stringify(summary) : summaryText(summary))
}

async function prepare(
  context: Pick<CommandContext, 'emit' | 'signal'>,
  options: UpOptions,
  tools: Tools,
  deadline?: CommandDeadline,
): Promise<{ session: Session; plan: Plan; graph: UpGraph }> {
  const signal = deadline?.signal ?? context.signal
  const session = createSession({
    name: options.name,
    paths: options.paths,
    images: options.images,
    tools,
    emit: context.emit,
    signal,
    ...(deadline ? { remainingMs: () => deadline.remainingMs() } : {}),
  })
  // Begun now, for it takes as long as reading the add-ons; the steps that need it meet its error again.
  session.look().catch(() => undefined)
  const [addons, kubeadmPatches] = await Promise.all([
    tools.addons(signal),
    readPatches(options.kubeadmPatches),
  ])
  const plan = makePlan(options, { addons, kubeadmPatches })
  return { session, plan, graph: upSteps(session, options, plan, addons, toolVersion(options.paths.repo)) }
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
    const { session, plan, graph } = await prepare({ ...context, emit }, options, tools, deadline)
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
      systems: plan.systems.map((system) => ({ ...system, namespaces: namespacesOf(objects) })),
      notes: notesOn(record?.images?.source),
    }
  } catch (error) {
    tellHowToGoOn(context, options, toLocalCloudError(error).family)
    throw error
  } finally {
    deadline.dispose()
  }
}

/** What the result does not show about how real it is. */
function notesOn(source: string | undefined): string[] {
  return source === 'packages'
    ? [
        'They were built here from the projects’ packages under the upstream names; they are not the upstream images.',
      ]
    : []
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
