import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Paths } from '../plan/options.ts'
import { runCommand } from '../process/run-command.ts'
import type { Emit } from '../report/events.ts'
import { buildProgress } from './build-progress.ts'
import { buildC } from './builders/c.ts'
import { buildDebian } from './builders/debian.ts'
import { buildGo } from './builders/go.ts'
import { buildNpm } from './builders/npm.ts'
import {
  componentKey,
  corruptOutputs,
  findComponent,
  storeComponent,
  type BuiltComponent,
} from './component-cache.ts'
import type { Component, Versions } from './versions.ts'

export interface BuildComponentsJob {
  paths: Paths
  versions: Versions
  signal: AbortSignal
  emit: Emit
  progress(message: string): void
}

/** Compiled packages kept at most between two components, kibibytes; beyond, the compiler's cache is emptied. */
const goBuildCacheLimit = 8 * 1024 * 1024

/** Key of every component, by name. */
export async function componentKeys(repo: string, versions: Versions): Promise<Map<string, string>> {
  const entries = await Promise.all(
    Object.entries(versions.components).map(
      async ([name, recipe]) => [name, await componentKey(repo, name, recipe)] as const,
    ),
  )
  return new Map(entries)
}

/** Names of components that are not in the cache under their current key. */
export async function missingComponents(paths: Paths, keys: ReadonlyMap<string, string>): Promise<string[]> {
  const missing: string[] = []
  for (const [name, key] of keys) if (!(await findComponent(paths.cacheDir, name, key))) missing.push(name)
  return missing
}

/**
 * Every component, built where it is missing or where its content no longer matches its digest. Compilations run one after another
 * (the Go compiler uses every core), downloads and root file systems beside them. What is finished stays finished when another fails
 * or the process is killed.
 * @throws LocalCloudError BUILD_FAILED naming component, command and last lines.
 */
export async function buildComponents(job: BuildComponentsJob): Promise<Map<string, BuiltComponent>> {
  const { paths, versions } = job
  const keys = await componentKeys(paths.repo, versions)
  const built = new Map<string, BuiltComponent>()
  const toBuild: string[] = []
  for (const [name, key] of keys) {
    const found = await findComponent(paths.cacheDir, name, key)
    const corrupt = found ? await corruptOutputs(found) : []
    if (found && corrupt.length === 0) built.set(name, found)
    else {
      if (corrupt.length > 0) {
        job.emit({
          type: 'notice',
          level: 'warning',
          message: `The cached ${name} is damaged (${corrupt.join(', ')}) and is built again.`,
        })
      }
      toBuild.push(name)
    }
  }
  if (toBuild.length === 0) return built

  const lanes = { go: pLimit(1), other: pLimit(1) }
  const stop = new AbortController()
  const signal = AbortSignal.any([job.signal, stop.signal])
  const start = buildProgress(toBuild.length, (line) => {
    job.progress(line)
  })
  const outcomes = await Promise.allSettled(
    toBuild.map((name) => {
      const recipe = versions.components[name]
      if (!recipe) throw new Error(`no recipe for ${name}`)
      return lanes[recipe.builder === 'go' ? 'go' : 'other'](async () => {
        signal.throwIfAborted()
        const its = start(`${name} ${recipe.version}`)
        try {
          const component = await storeComponent(paths.cacheDir, name, keys.get(name) ?? '', (folders) =>
            build(name, recipe, { ...job, signal, ...folders, progress: its.tell }),
          )
          built.set(name, component)
          its.built()
        } catch (error) {
          stop.abort(error)
          throw error
        }
        if (recipe.builder === 'go') await boundGoCache(paths.cacheDir, signal)
      })
    }),
  )
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed) throw firstCause(job.signal, stop.signal, failed.reason)
  return built
}

/** Removes the compilers' caches; the built components stay. `LOCAL_CLOUD_KEEP_BUILD_CACHE=1` keeps them for work on the recipes. */
export async function removeBuildCaches(cacheDir: string): Promise<void> {
  if (process.env['LOCAL_CLOUD_KEEP_BUILD_CACHE'] === '1') return
  await rm(join(cacheDir, 'go'), { recursive: true, force: true })
  for (const name of await readdir(join(cacheDir, 'components')).catch(() => [])) {
    for (const entry of await readdir(join(cacheDir, 'components', name))) {
      if (entry.startsWith('.building-'))
        await rm(join(cacheDir, 'components', name, entry), { recursive: true, force: true })
    }
  }
}

async function build(
  name: string,
  recipe: Component,
  job: BuildComponentsJob & { workDirectory: string; outputDirectory: string },
): Promise<void> {
  await mkdir(join(job.paths.cacheDir, 'go'), { recursive: true })
  try {
    if (recipe.builder === 'go') await buildGo({ ...job, name, recipe })
    else if (recipe.builder === 'npm') await buildNpm({ ...job, name, recipe })
    else if (recipe.builder === 'c') await buildC({ ...job, name, recipe })
    else await buildDebian({ ...job, name, recipe })
  } catch (error) {
    if (error instanceof LocalCloudError && error.code === 'BUILD_FAILED') {
      throw new LocalCloudError('BUILD_FAILED', {
        message: `The component ${name} ${recipe.version} could not be built: ${error.message}`,
        evidence: [...error.evidence],
        cause: error,
      })
    }
    throw error
  }
}

async function boundGoCache(cacheDir: string, signal: AbortSignal): Promise<void> {
  if (process.env['LOCAL_CLOUD_KEEP_BUILD_CACHE'] === '1') return
  const directory = join(cacheDir, 'go', 'build')
  const { stdout } = await runCommand('du', ['-sk', directory], { signal, acceptExitCodes: 'any' })
  if (Number(stdout.split('\t')[0]) > goBuildCacheLimit) await rm(directory, { recursive: true, force: true })
}

function firstCause(outer: AbortSignal, stop: AbortSignal, fallback: unknown): unknown {
  if (outer.aborted) return outer.reason instanceof LocalCloudError ? outer.reason : fallback
  return stop.reason instanceof Error ? stop.reason : fallback
}
