import { readdirSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Probe } from '../../bootstrap/addons/addon.ts'
import { runProbe } from '../../bootstrap/addons/run-probe.ts'
import type { Sabotage } from '../../bootstrap/addons/sabotage.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import type { Look } from '../harness/look.ts'
import { probeImage } from '../harness/probe-pod.ts'
import { recordOf, type ControlRecord } from '../harness/record.ts'
import { CheckBroke, NotProven } from '../harness/verdict.ts'

const choice = choiceFromEnvironment()
const folder = path.join(choice.paths.repo, 'manifests', 'addons')
const addons = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort()

const load = (addon: string, file: string): Promise<unknown> =>
  import(/* @vite-ignore */ pathToFileURL(path.join(folder, addon, file)).href)

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choice, AbortSignal.timeout(30_000))
})

describe.each(addons)('%s', (name) => {
  it('does what it is for; its probe notices when it does not, and when it does again', async ({
    task,
    signal,
  }) => {
    const { kube, ingressUrl, record } = cluster
    if (record && !record.plan.addons.some((addon) => addon.name === name)) {
      throw new NotProven(`The cluster ${cluster.name} was made without ${name}.`)
    }
    const { probe } = (await load(name, 'probe.ts')) as { probe: Probe }
    const { sabotage } = (await load(name, 'sabotage.ts')) as { sabotage: Sabotage }
    const ask = async (stop: AbortSignal) =>
      runProbe({ name, probe }, kube, { shellImage: probeImage, ingressUrl, signal: stop })
    const works = async (stop: AbortSignal): Promise<Look> => {
      const result = await ask(stop)
      if (result.result === 'not-proven') throw new NotProven(result.reason)
      return { ok: result.result === 'pass', seen: result.seen }
    }
    const title = `the probe of ${name} passes`
    const entry: ControlRecord = {
      before: { title },
      cause: sabotage.title,
      negative: { title: `the probe of ${name} fails` },
      after: { title },
    }
    recordOf(task.meta).controls.push(entry)
    const once = await works(signal)
    entry.before.seen = once.seen
    expect(once, 'the probe before anything was broken').toMatchObject({ ok: true })
    try {
      const started = performance.now()
      await sabotage.break(kube, signal)
      entry.onsetMs = Math.round(performance.now() - started)
      const broken = await ask(signal)
      if (broken.result === 'not-proven') {
        throw new CheckBroke(`The probe could not run while "${sabotage.title}": ${broken.reason}`)
      }
      entry.negative.seen = broken.seen
      expect(broken.result, `the probe while "${sabotage.title}" said: ${broken.seen}`).toBe(sabotage.expect)
    } finally {
      // Also when the test ran out of time: the next suite needs a whole cluster.
      await sabotage.restore(kube, AbortSignal.timeout(150_000))
    }
    entry.after.seen = await eventually(`${title} again`, works, {
      timeoutMs: 120_000,
      intervalMs: 1_000,
      signal,
    })
  }, 480_000)
})
