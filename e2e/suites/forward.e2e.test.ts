import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readContract } from '../../manifests/slate/contract.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import { describeHttp, request, type HttpOutcome } from '../harness/http-client.ts'
import { recordOf } from '../harness/record.ts'
import { requireSlate } from '../harness/slate.ts'
import { CheckBroke } from '../harness/verdict.ts'

/*
 * `npm run slate:forward`, as a user runs it: every port of the guide answers on this machine, and goes on answering when the pod behind it
 * is killed.
 */
const { namespace, services, deployments } = readContract()
const choice = choiceFromEnvironment()
const settle = { timeoutMs: 60_000, intervalMs: 500 }

interface Forward {
  service: string
  port: number
  localPort: number
  url: string
  note?: string
}
/** A line of the script's output. */
interface Line {
  type: string
  service?: string
  from?: string
  to?: string
  forwards?: Forward[]
  message?: string
}
interface Script {
  forwards: Forward[]
  /** Everything that it has printed since. */
  lines: Line[]
  end(signal: NodeJS.Signals): Promise<number | null>
}

async function start(flags: readonly string[]): Promise<Script> {
  const child = spawn(
    process.execPath,
    [
      path.join(choice.paths.repo, 'scripts', 'slate-forward.mjs'),
      ...['--json', '--name', choice.name, '--state-dir', choice.paths.stateDir, ...flags],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const lines: Line[] = []
  const first = new Promise<Line>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as Line
      lines.push(line)
      resolve(line)
    })
    child.on('exit', (code) => {
      reject(new CheckBroke(`slate:forward ended with ${String(code)} before it listened`))
    })
  })
  const line = await first
  if (line.type !== 'listening') throw new CheckBroke(`slate:forward said ${JSON.stringify(line)}`)
  return {
    forwards: line.forwards ?? [],
    lines,
    async end(signal) {
      child.kill(signal)
      if (child.exitCode === null) await once(child, 'exit')
      return child.exitCode
    },
  }
}

const get = (url: string, signal: AbortSignal): Promise<HttpOutcome> =>
  request(url, { timeoutMs: 20_000, signal })

let cluster: Cluster
let script: Script
beforeAll(async () => {
  cluster = await attach(choice, AbortSignal.timeout(30_000))
  requireSlate(cluster)
  script = await start([])
})
afterAll(async () => {
  await script.end('SIGTERM')
})

const forwardOf = (service: string): Forward => {
  const found = script.forwards.find((forward) => forward.service === service)
  if (!found) throw new CheckBroke(`${service} is not forwarded`)
  return found
}
/** The deployment behind a Service, by the label that it selects. */
const deploymentOf = (selector: Record<string, string>) => {
  const found = deployments.find(
    ({ name, component }) =>
      selector['app.kubernetes.io/component'] === component || selector['app.kubernetes.io/name'] === name,
  )
  if (!found) throw new CheckBroke(`no deployment has the labels ${JSON.stringify(selector)}`)
  return found
}

describe('slate:forward', () => {
  it('forwards the first port of every Service, under its own number where that is free', ({ task }) => {
    expect(script.forwards.map(({ service, port }) => `${service}:${String(port)}`).sort()).toEqual(
      services.rows.map(({ name, ports }) => `${name}:${String(ports[0])}`).sort(),
    )
    for (const { service, port, localPort, note } of script.forwards) {
      if (localPort !== port) expect(note, service).toContain(`${String(port)} is in use by`)
      recordOf(task.meta).facts.push({ name: service, value: `127.0.0.1:${String(localPort)}` })
    }
    const ingress = cluster.record?.plan.httpPort
    const dashboard = script.forwards.find(({ port }) => port === ingress)
    if (dashboard) expect(dashboard.localPort).not.toBe(ingress)
  })

  it.each(services.rows)('$name answers on this machine', async ({ name, selector }) => {
    const { healthPath, entrypoint } = deploymentOf(selector)
    const { url, port } = forwardOf(name)
    const where = port === 9090 ? '/metrics' : healthPath
    await eventually(
      `${url}${where}`,
      async (signal) => {
        const outcome = await get(`${url}${where}`, signal)
        const service = outcome.kind === 'answered' ? outcome.headers['x-slate-service'] : undefined
        return {
          ok:
            outcome.kind === 'answered' &&
            outcome.status === 200 &&
            (entrypoint === undefined || service === entrypoint),
          seen: `${describeHttp(outcome)} from ${String(service)}`,
        }
      },
      settle,
    )
  })

  it.each([
    ['of which another one is there', 'slate-dashboard-svc'],
    ['that is the only one', 'slate-copilot-bridge-svc'],
  ])('leads to a new pod when its pod is killed, one %s', async (_, name) => {
    const { kube } = cluster
    const { url } = forwardOf(name)
    const podOf = async (signal: AbortSignal): Promise<string | undefined> => {
      const outcome = await get(`${url}/health`, signal)
      return outcome.kind === 'answered' && outcome.status === 200
        ? String(outcome.headers['x-slate-pod'])
        : undefined
    }
    const before = await podOf(AbortSignal.timeout(20_000))
    if (before === undefined) throw new CheckBroke(`${url} does not answer before anything was killed`)
    const killed = performance.now()
    await kube.delete(
      { apiVersion: 'v1', kind: 'Pod', namespace: namespace.name, name: before },
      { signal: AbortSignal.timeout(30_000), gracePeriodSeconds: 0 },
    )
    const after = await eventually(
      `${name} is answered by another pod than ${before}`,
      async (signal) => {
        const pod = await podOf(signal)
        return { ok: pod !== undefined && pod !== before, seen: pod ?? 'no answer' }
      },
      { timeoutMs: 120_000, intervalMs: 500 },
    )
    const moved = script.lines.filter(({ type, service }) => type === 'moved' && service === name)
    expect(moved.map(({ from }) => from)).toContain(before)
    expect(moved.at(-1)?.to).toBe(after)
    expect(performance.now() - killed).toBeLessThan(120_000)
  })

  it('refuses a port that is taken, by name and before anything listens', async () => {
    const { localPort } = forwardOf('ollama-svc')
    const second = start(['--only', 'ollama', '--port', `ollama=${String(localPort)}`])
    await expect(second).rejects.toThrow(/PORT_TAKEN/)
  })

  it('ends with 0 on Ctrl-C and leaves no port open', async () => {
    const own = await start(['--only', 'chromadb,workflow'])
    expect(own.forwards.map(({ service }) => service).sort()).toEqual(['chromadb-svc', 'slate-workflow-svc'])
    const urls = own.forwards.map(({ url }) => url)
    for (const url of urls) {
      const outcome = await get(url, AbortSignal.timeout(20_000))
      expect(outcome.kind, describeHttp(outcome)).toBe('answered')
    }
    expect(await own.end('SIGINT')).toBe(0)
    for (const url of urls) expect((await get(url, AbortSignal.timeout(20_000))).kind).toBe('refused')
  })
})
