import { stat } from 'node:fs/promises'
import path from 'node:path'
import { readVersions } from '../images/versions.ts'
import { writeBundle, type BundleManifest } from '../images/bundle.ts'
import { realTools } from '../steps/real-tools.ts'
import { runSteps } from '../steps/run-steps.ts'
import type { Step } from '../steps/step.ts'
import { kindPath } from '../tools/kind.ts'
import { bundledImages } from './bundled-images.ts'
import type { BundleValues, CommandContext } from './command-context.ts'
import { commandDeadline } from './command-deadline.ts'

const defaultName = 'local-cloud-bundle.tar'
const day = 24 * 3_600_000

/** `bundle`: writes one archive with every image that a cluster with the systems runs, for `up --images bundle:FILE` on a machine without a network. */
export async function run(context: CommandContext<BundleValues>): Promise<void> {
  const { values, emit, signal, paths } = context
  const output = path.resolve(values.output ?? defaultName)
  const tools = realTools({ paths, engine: values.engine, install: values.install, emit })
  const versions = await readVersions(paths.repo)
  const { kubernetes, kind } = versions
  let manifest: BundleManifest | undefined
  const step: Step = {
    id: 'bundle',
    title: 'Bundle',
    needs: [],
    // Building from packages takes as long as it takes; the command's own deadline is the user's.
    timeoutMs: day,
    observe: () => Promise.resolve({ state: 'absent', reason: `${output} is to be written` }),
    apply: async (stepRun) => {
      const wanted = await bundledImages(values, { tools, versions, signal: stepRun.signal })
      const engine = await tools.openEngine(stepRun.signal, (message) => {
        stepRun.progress(message)
      })
      const source = await tools.imageSource(values.images, engine, stepRun.signal)
      stepRun.progress(`from ${source.kind}: ${source.why}`)
      const prepared = await source.prepare(stepRun, wanted)
      const program = await kindPath({ paths, version: kind, emit, signal: stepRun.signal })
      manifest = await writeBundle(
        prepared,
        { output, engine, kubernetes, source: source.kind, kind: { version: kind, program } },
        stepRun,
      )
    },
    verify: async () => `${output}, ${String(Math.round((await stat(output)).size / 1e6))} MB`,
  }
  const deadline = commandDeadline('bundle', values.timeoutMs, signal)
  try {
    await runSteps([step], { emit, signal: deadline.signal })
  } finally {
    deadline.dispose()
  }
  if (!manifest) return
  const { size } = await stat(output)
  const images = [manifest.node.ref, ...manifest.preloaded, ...manifest.images.map((image) => image.ref)]
  context.out(
    context.json
      ? JSON.stringify({ type: 'result', command: 'bundle', output, bytes: size, manifest })
      : [
          `${output} (${String(Math.round(size / 1e6))} MB) holds ${String(images.length)} images:`,
          ...images.map((ref) => `  ${ref}`),
          '',
          `On the other machine: npx zx bootstrap/up.mjs${systemFlag(values)} --images bundle:${path.basename(output)}`,
        ].join('\n'),
  )
}

const systemFlag = ({ system, environment }: BundleValues): string =>
  `${system === 'slate' ? '' : ` --system ${system}`}${environment === 'local' ? '' : ` --overlay ${environment}`}`
