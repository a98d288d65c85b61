import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach } from 'vitest'
import { mutationVariable } from '../mutations/mutation.ts'
import { reportVariable } from '../report/run-report.ts'
import { attach, choiceFromEnvironment } from './cluster.ts'
import { evidenceOf, takeRemembered } from './namespace-evidence.ts'
import { recordOf } from './record.ts'
import { runLabel } from './run-id.ts'

/*
 * Loaded before every suite: a test that failed or broke leaves a bundle beside the report, with the objects, the events in order, the
 * current and previous logs and the nodes, as they were when it ended.
 */

/** Bundles of one run; when all tests fail for one reason, the first ones tell it. */
const mostBundles = 12
/** How long collecting may take, milliseconds. */
const collectMs = 30_000

afterEach(async ({ task }) => {
  const remembered = takeRemembered()
  const directory = process.env[reportVariable]
  const errors = task.result?.errors ?? []
  if (directory === undefined || task.result?.state !== 'fail') return
  if (errors.every(({ name }) => name === 'NotProven') || process.env[mutationVariable] !== undefined) return
  const root = path.join(directory, 'evidence')
  if ((await readdir(root).catch(() => [])).length >= mostBundles) return
  const folder = `evidence/${slug(path.basename(task.file.name, '.e2e.test.ts'))}-${slug(task.name)}`
  const signal = AbortSignal.timeout(collectMs)
  try {
    const { kube, runId } = await attach(choiceFromEnvironment(), signal)
    const mine = await kube.list(
      { apiVersion: 'v1', kind: 'Namespace', labelSelector: `${runLabel}=${runId}` },
      signal,
    )
    const namespaces = ['slate', ...mine.map(({ metadata }) => metadata.name)]
    const files = [...(await evidenceOf(kube, namespaces, signal)), ...remembered]
    for (const { path: name, content } of files) {
      const file = path.join(directory, folder, name)
      await mkdir(path.dirname(file), { recursive: true })
      await writeFile(file, content)
    }
    recordOf(task.meta).evidence = files
      .map(({ path: name }) => `${folder}/${name}`)
      .filter((name) => /events\.(txt|json)$|nodes\.txt$|pods\.(yaml|json)$|\.log$/.test(name))
  } catch (error) {
    recordOf(task.meta).facts.push({
      name: 'evidence',
      value: `could not be collected: ${error instanceof Error ? error.message : String(error)}`,
    })
  }
})

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, 60)
