import { mkdirSync } from 'node:fs'
import path from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readContract } from '../../manifests/slate/contract.ts'
import { startBrowser } from '../harness/browser.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import { recordOf } from '../harness/record.ts'
import { requireSlate } from '../harness/slate.ts'

/* SLATE's page as a person sees it: through the ingress, in a headless Chromium, on a desktop and on a phone. */
const contract = readContract()
const { host } = contract.ingress
/** A service that was stopped is started, ready, and found by the next look at all of them. */
const settle = { timeoutMs: 120_000, intervalMs: 500 }

let cluster: Cluster
let page: Page
const complaints: string[] = []
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireSlate(cluster)
  const { hostname, port } = new URL(cluster.ingressUrl)
  const { browser } = stack.use(
    await startBrowser({ hosts: { [host]: hostname }, signal: AbortSignal.timeout(150_000) }),
  )
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.goto(`http://${host}:${port}/`)
})
afterAll(() => stack.disposeAsync())

const text = async (selector: string): Promise<string> => (await page.textContent(selector))?.trim() ?? ''

async function shows(selector: string, wanted: RegExp, signal: AbortSignal): Promise<string> {
  return eventually(
    `${selector} shows ${String(wanted)}`,
    async () => {
      const seen = await text(selector)
      return { ok: wanted.test(seen), seen }
    },
    { ...settle, signal },
  )
}

async function screenshot(name: string): Promise<string> {
  const folder = path.join(cluster.paths.stateDir, 'e2e-report', 'screenshots')
  mkdirSync(folder, { recursive: true })
  const file = path.join(folder, `${name}.png`)
  await page.screenshot({ path: file, fullPage: true })
  return path.relative(cluster.paths.repo, file)
}

describe('the dashboard’s page', () => {
  it('is live over its WebSocket and finds every service', async ({ task, signal }) => {
    await shows('#connection', /^Live$/, signal)
    const verdict = await shows('#verdict', /^All \d+ services answer$/, signal)
    await shows('#detail', /Ollama and Chroma too/, signal)
    recordOf(task.meta).facts.push({ name: 'verdict', value: verdict })
    const rows = await text('#services')
    const routed = Object.values(contract.ingress.routes).map((target) => target.split(':')[0] ?? '')
    for (const { name } of contract.deployments.filter(({ component }) =>
      contract.services.rows.some(
        (row) => routed.includes(row.name) && row.selector['app.kubernetes.io/component'] === component,
      ),
    )) {
      expect(rows).toContain(`${name}-`)
    }
  })

  it('shows what the cluster holds: Deployments, pods, scheduled jobs', async ({ signal }) => {
    for (const { name } of contract.deployments) await shows('#deployments', new RegExp(name), signal)
    for (const { name } of contract.cronJobs) await shows('#jobs', new RegExp(name), signal)
    await shows('#pods', /slate-dashboard-/, signal)
  })

  it('says plainly that the models have random weights', async ({ task, signal }) => {
    const note = await shows('#stand-ins', /random weights/, signal)
    expect(await page.isVisible('#stand-ins')).toBe(true)
    recordOf(task.meta).facts.push({ name: 'note', value: note })
    for (const model of ['slate-coder', 'slate-fast', 'slate-planner']) {
      await shows('#models', new RegExp(model), signal)
    }
  })

  it('notices when a service goes, and when it is back', async ({ signal }) => {
    const ref = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: contract.namespace.name,
      name: 'slate-copilot-bridge',
    }
    const scale = (replicas: number) =>
      cluster.kube.patch(ref, { spec: { replicas } }, { signal: AbortSignal.timeout(20_000) })
    try {
      await scale(0)
      await shows('#verdict', /^\d+ of \d+ services answer$/, signal)
      await shows('#detail', /Unreachable: /, signal)
    } finally {
      await scale(1)
    }
    await shows('#verdict', /^All \d+ services answer$/, signal)
  })

  it.each([
    ['desktop', 1280, 900],
    ['phone', 390, 844],
  ])('fits a %s', async (name, width, height) => {
    await page.setViewportSize({ width, height })
    // As a string: it runs in the browser, whose types are not those of this project.
    const [content, view] = await page.evaluate<[number, number]>(
      '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
    )
    await screenshot(`slate-dashboard-${name}`)
    expect(content).toBeLessThanOrEqual(view)
  })

  it('gives the browser nothing to complain about', () => {
    expect(complaints).toEqual([])
  })
})
