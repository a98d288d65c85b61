import { LocalCloudError } from '../bootstrap/errors/local-cloud-error.ts'
import { systemWords, type SystemChoice } from '../bootstrap/manifests/system-choice.ts'
import { validateSystem } from '../bootstrap/manifests/validate.ts'
import { claimsOnGpuNode } from '../bootstrap/gpu/claims-on-gpu-node.ts'
import { checkSystem, choicesOf, realOptionsWorld } from '../bootstrap/plan/options.ts'
import { attachCluster } from '../bootstrap/steps/attach.ts'
import { marksFor } from '../bootstrap/steps/objects.ts'
import { refWords } from '../bootstrap/steps/objects.ts'
import type { ClusterRecord } from '../bootstrap/steps/record.ts'
import { systemDiff, type ObjectDiff } from '../bootstrap/steps/system-diff.ts'
import { pathsFor, print, runScript } from './cluster-script.ts'
import { help, parseDiffOptions, type DiffOptions } from './slate-diff-options.ts'

const different = ({ change }: ObjectDiff): boolean => change !== 'unchanged' && change !== 'finished'

/** What is compared: what the flags say, else what is on the cluster, else the defaults of `up`. */
function choiceFor({ overlay, system, models }: DiffOptions, { plan }: ClusterRecord): SystemChoice {
  const there = plan.systems.find(({ name }) => system === undefined || name === system)
  const { models: before, ...others } = there?.choices ?? {}
  return {
    system: system ?? there?.name ?? 'slate',
    environment: overlay ?? there?.environment ?? 'local',
    choices:
      models === undefined
        ? { ...(before === undefined ? {} : { models: before }), ...others }
        : { ...choicesOf({ models }), ...others },
  }
}

async function main(signal: AbortSignal): Promise<number> {
  const options = parseDiffOptions(process.argv.slice(2))
  if (options === 'help') {
    process.stdout.write(help)
    return 0
  }
  const paths = pathsFor(options.stateDir)
  const { kube, record } = await attachCluster(paths, options.name, signal)
  try {
    const choice = choiceFor(options, record)
    checkSystem(choice.system, choice.environment, realOptionsWorld.systems(paths.repo))
    const rendered = await validateSystem(choice, { paths, signal })
    const { objects, notes } = await systemDiff({
      kube,
      record,
      system: choice.system,
      objects: claimsOnGpuNode(rendered, record.plan),
      marks: marksFor(record.plan),
      signal,
    })
    const changes = objects.filter(different)
    if (options.json) {
      const count = changes.length
      print(
        JSON.stringify({
          type: 'result',
          command: 'slate:diff',
          cluster: options.name,
          ...choice,
          different: count,
          notes,
          objects,
        }),
      )
    } else tell(choice, objects, notes)
    refuse(objects)
    return changes.length === 0 ? 0 : 1
  } finally {
    kube.close()
  }
}

function tell(choice: SystemChoice, objects: readonly ObjectDiff[], notes: readonly string[]): void {
  for (const note of notes) process.stderr.write(`${note}\n`)
  for (const { object, warnings } of objects)
    for (const warning of warnings) process.stderr.write(`Warning: ${refWords(object)}: ${warning}\n`)
  const changes = objects.filter(different)
  for (const { object, change, patch, refusal } of changes) {
    print(`# ${refWords(object)}: ${change}${refusal === undefined ? '' : `: ${refusal}`}`)
    if (patch !== '') print(patch.trimEnd())
    print('')
  }
  const total = String(objects.length)
  print(
    changes.length === 0
      ? `No difference: ${total} objects of ${systemWords(choice)} are as up would leave them.`
      : `${String(changes.length)} of ${total} objects of ${systemWords(choice)} differ: ${countsOf(changes)}.`,
  )
}

function countsOf(changes: readonly ObjectDiff[]): string {
  const counts = Map.groupBy(changes, ({ change }) => change)
  return [...counts].map(([change, some]) => `${String(some.length)} ${change}`).join(', ')
}

/** @throws LocalCloudError API_REFUSED when the server would not take one of the objects */
function refuse(objects: readonly ObjectDiff[]): void {
  const refused = objects.filter(({ change }) => change === 'refused')
  if (refused.length === 0) return
  throw new LocalCloudError('API_REFUSED', {
    message: `The API server would refuse ${String(refused.length)} of ${String(objects.length)} objects.`,
    hint: 'What cannot be changed in place has to be deleted first; everything else is told above, in the server’s words.',
    evidence: refused.map(({ object, refusal = '' }) => `${refWords(object)}: ${refusal}`),
  })
}

await runScript(process.argv, main)
