import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { resolvePaths } from '../bootstrap/state/paths.ts'
import { realTools } from '../bootstrap/steps/real-tools.ts'
import { kindPath } from '../bootstrap/tools/kind.ts'
import { kubectlPath } from '../bootstrap/tools/kubectl.ts'
import { measureEphemeral, type EphemeralBench } from './bench/ephemeral.ts'
import { measureGpu } from './bench/gpu.ts'
import { measureDown, measureHelp, measureNoop, measureUp, type OurBench } from './bench/ours.ts'
import { measurePlain } from './bench/plain.ts'
import { replaceBetween, rowWords, table, type BenchResult, type Measure } from './bench/result.ts'
import { spread } from './bench/statistics.ts'

const help = `Measures up, down and plain kind in turn, and writes docs/bench.json and the table of README.md.

Usage: npm run bench -- [flags]

Flags:
  --runs N            how often everything is measured (default: 3)
  --images SOURCE     where images come from, as for up (default: auto); they are made before anything is measured
  --name NAME         name of the cluster; NAME-plain is the plain one (default: lc-bench)
  --http-port PORT    host port of its ingress (default: 18080)
  --https-port PORT   (default: 18443)
  --no-plain          leave plain kind out
  --no-k3s            leave k3s and disposable clusters out
  --no-write          only print, do not write the two files
  --json              print the result as JSON
  --help              print this help
`

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/** An image that every node has, of which a pod can be made. */
const shellImage = 'docker.io/library/busybox:1.35.0'

/** Times `--help` is asked per run: it is short and varies. */
const helpsPerRun = 5

function options(argv: string[]) {
  const { values } = parseArgs({
    args: argv,
    allowNegative: true,
    options: {
      runs: { type: 'string', default: '3' },
      images: { type: 'string', default: 'auto' },
      name: { type: 'string', default: 'lc-bench' },
      'http-port': { type: 'string', default: '18080' },
      'https-port': { type: 'string', default: '18443' },
      plain: { type: 'boolean', default: true },
      k3s: { type: 'boolean', default: true },
      write: { type: 'boolean', default: true },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const number = (flag: 'runs' | 'http-port' | 'https-port', most: number): number => {
    const value = Number(values[flag])
    if (!Number.isInteger(value) || value < 1 || value > most) {
      throw new Error(`--${flag} ${values[flag]}: must be a whole number from 1 to ${String(most)}`)
    }
    return value
  }
  return {
    ...values,
    runs: number('runs', 100),
    httpPort: number('http-port', 65_535),
    httpsPort: number('https-port', 65_535),
  }
}

async function bench(flags: ReturnType<typeof options>, signal: AbortSignal): Promise<BenchResult> {
  const paths = resolvePaths(repository, {}, process.env, process.cwd())
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`)
  }
  const ours: OurBench = {
    paths,
    name: flags.name,
    httpPort: flags.httpPort,
    httpsPort: flags.httpsPort,
    images: flags.images,
    signal,
  }
  const seen: Partial<Record<Measure, number[]>> = {}
  const note = (times: Partial<Record<Measure, number>>): void => {
    for (const [key, ms] of Object.entries(times) as [Measure, number][]) {
      ;(seen[key] ??= []).push(ms)
      say(`  ${rowWords(key, ms)}`)
    }
  }
  try {
    say('Once unmeasured, so that images are present and caches warm')
    await measureDown(ours)
    await measureUp(ours)
    const about = await describe(ours)
    await measureDown(ours)
    for (let run = 1; run <= flags.runs; run += 1) {
      say(`Run ${String(run)} of ${String(flags.runs)}`)
      for (let time = 0; time < helpsPerRun; time += 1) note({ help: await measureHelp(ours) })
      note(await measureUp(ours))
      note({ noop: await measureNoop(ours) })
      note({ down: await measureDown(ours) })
      note({ ...(await measureGpu(ours)) })
      await measureDown(ours)
      if (flags.k3s) {
        const onK3s = { ...ours, provider: 'k3s' } as const
        const { nodeReady, systemReady } = await measureUp(onK3s)
        note({
          ...(nodeReady === undefined ? {} : { k3sNodeReady: nodeReady }),
          ...(systemReady === undefined ? {} : { k3sSystemReady: systemReady }),
          k3sDown: await measureDown(onK3s),
        })
        note({ ...(await measureEphemeral(await prepareEphemeral(ours))) })
      }
      // Prepared each time: `down` has just removed the engine's configuration.
      if (flags.plain) note({ ...(await measurePlain(await preparePlain(ours))) })
    }
    return {
      format: 'local-cloud-bench/1',
      measuredAt: new Date().toISOString(),
      runs: flags.runs,
      machine: {
        cores: availableParallelism(),
        memoryGiB: totalmem() / 2 ** 30,
        kernel: release(),
        node: process.version,
        cpu: cpus()[0]?.model.trim() ?? 'unknown',
      },
      ...about,
      measures: Object.fromEntries(Object.entries(seen).map(([key, values]) => [key, spread(values)])),
    }
  } finally {
    await measureDown({ ...ours, signal: AbortSignal.timeout(300_000) }).catch((error: unknown) => {
      say(`The cluster ${flags.name} could not be removed: ${String(error)}`)
    })
  }
}

const toolsOf = ({ paths, name }: OurBench) =>
  realTools({ paths, engine: 'auto', install: false, name, nodes: 1, emit: () => undefined })

/** What the cluster that is up says about itself. */
async function describe(ours: OurBench): Promise<Pick<BenchResult, 'engine' | 'kubernetes' | 'images'>> {
  const { attach } = await import('../e2e/harness/cluster.ts')
  const engine = await toolsOf(ours).findEngine(ours.signal)
  const { record, kube } = await attach(
    { name: ours.name, paths: ours.paths, allowForeign: false },
    ours.signal,
  )
  kube.close()
  return {
    engine: engine ? `${engine.kind} ${engine.version}` : 'unknown',
    kubernetes: record?.plan.kubernetesVersion ?? 'unknown',
    images: { source: record?.images?.source ?? 'unknown', why: record?.images?.why ?? '' },
  }
}

async function preparePlain(ours: OurBench): Promise<Parameters<typeof measurePlain>[0]> {
  const { paths, signal } = ours
  const name = `${ours.name}-plain`
  const tools = toolsOf({ ...ours, name })
  const engine = await tools.openEngine(signal, () => undefined)
  const source = await tools.imageSource(imagesChoice(ours.images), engine, signal)
  const [images, addons, system, kind, kubectl] = await Promise.all([
    source.prepare({ signal, progress: () => undefined }),
    tools.addons(signal),
    tools.system({ system: 'slate', environment: 'local', choices: {} }, signal),
    kindPath({ paths, emit: () => undefined, signal }),
    kubectlPath({ paths, signal }),
  ])
  return {
    name,
    httpPort: ours.httpPort,
    httpsPort: ours.httpsPort,
    engine,
    kind,
    kubectl,
    images,
    addons: addons.flatMap(({ objects }) => objects),
    system,
    signal,
  }
}

async function prepareEphemeral(ours: OurBench): Promise<EphemeralBench> {
  const { paths, signal } = ours
  const tools = toolsOf({ ...ours })
  const engine = await tools.openEngine(signal, () => undefined)
  const images = imagesChoice(ours.images)
  const { nodeImage } = await (
    await tools.imageSource(images, engine, signal)
  ).prepare({ signal, progress: () => undefined })
  return { cacheDir: paths.cacheDir, images, engine, nodeImage, shellImage, signal }
}

function imagesChoice(text: string): Parameters<ReturnType<typeof toolsOf>['imageSource']>[0] {
  if (text === 'auto' || text === 'registry' || text === 'packages') return { kind: text }
  if (text.startsWith('bundle:')) return { kind: 'bundle', file: path.resolve(text.slice('bundle:'.length)) }
  throw new Error(`--images ${text}: must be auto, registry, packages or bundle:FILE`)
}

async function main(): Promise<void> {
  const flags = options(process.argv.slice(2))
  if (flags.help) {
    process.stdout.write(help)
    return
  }
  imagesChoice(flags.images)
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      stop.abort(new Error(`Stopped by ${name}.`))
    })
  }
  const result = await bench(flags, stop.signal)
  process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${table(result)}\n`)
  if (!flags.write) return
  await writeFile(path.join(repository, 'docs', 'bench.json'), `${JSON.stringify(result, undefined, 2)}\n`)
  const readme = path.join(repository, 'README.md')
  await writeFile(readme, replaceBetween(await readFile(readme, 'utf8'), 'bench', table(result)))
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
