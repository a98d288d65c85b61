import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { describe, expect, it } from 'vitest'
import { readConnections } from '../../fixtures/images/slate/slate/connections.ts'
import { readVariables } from '../../fixtures/images/shared/environment.ts'
import type { JobContext } from '../../fixtures/images/slate/slate/job/job.ts'
import { jobNames } from '../../fixtures/images/slate/slate/jobs.ts'
import { runWaitForOllama } from '../../fixtures/images/slate/slate/jobs/wait-for-ollama.ts'
import { readProcessIdentity } from '../../fixtures/images/slate/slate/identity.ts'
import { createLog } from '../../fixtures/images/shared/log.ts'
import { loadRouting } from '../../fixtures/images/slate/slate/agent-router/routing-rules.ts'
import { serviceNames, services } from '../../fixtures/images/slate/slate/services.ts'
import { readContract } from './contract.ts'

const contract = readContract()
const fileOf = (path: string) => fileURLToPath(new URL(`base/config/${path}`, import.meta.url))
const textOf = (path: string) => readFileSync(fileOf(path), 'utf8')

describe("SLATE's configuration and its image", () => {
  it('has routing rules that the router accepts, for models that are described', async () => {
    const { agents } = await loadRouting(fileOf('slate-agent-config/agent-routing.yaml'))
    const { models } = parse(textOf('slate-agent-config/models.yaml')) as {
      models: Record<string, { base: string }>
    }
    expect(
      Object.values(agents)
        .map(({ model }) => model)
        .sort(),
    ).toEqual(Object.keys(models).sort())
    for (const [model, { base }] of Object.entries(models)) {
      expect(textOf(`slate-model-files/Modelfile.${model}`)).toContain(`FROM ${base}\n`)
    }
  })

  it('starts the dashboard from the mounted script with the command of its Deployment', () => {
    const command = [...contract.entrypoint.service, 'dashboard']
    expect(textOf('slate-dashboard-entrypoint/start-dashboard.py')).toContain(
      `os.execvp("node", [${command.map((word) => `"${word}"`).join(', ')}])`,
    )
  })

  it('gives every service of the image a Deployment with its ports', () => {
    const started = contract.deployments.flatMap(({ entrypoint, ports }) =>
      entrypoint === undefined ? [] : [[entrypoint, ports]],
    )
    expect(Object.fromEntries(started)).toEqual(
      Object.fromEntries(
        serviceNames.map((name) => {
          const service = services[name]
          return [name, [service.httpPort, ...('metricsPort' in service ? [service.metricsPort] : [])]]
        }),
      ),
    )
  })

  it('gives every job of the image an object that runs it', () => {
    const { initContainer, container } = contract.preload
    const run = [...contract.cronJobs, initContainer, container].map(({ job }) => job)
    expect(run.sort()).toEqual([...jobNames].sort())
  })

  it('waits for Ollama where and as long as is stated', async () => {
    const asked: (string | undefined)[] = []
    const server = createServer(({ url }, response) => {
      asked.push(url)
      response.end('{"models":[]}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const given = readVariables({ OLLAMA_HOST: `127.0.0.1:${(server.address() as AddressInfo).port}` })
    const standard = new Map<string, number>()
    const context: JobContext = {
      connections: readConnections(given),
      variables: {
        ...given,
        whole: (name, fallback, least, most) => {
          standard.set(name, fallback)
          return given.whole(name, fallback, least, most)
        },
      },
      identity: readProcessIdentity({}),
      log: createLog('error', {}, () => undefined),
      signal: AbortSignal.timeout(5000),
    }
    try {
      expect(await runWaitForOllama(context)).toMatchObject({ problems: [] })
    } finally {
      server.close()
    }
    const { path, seconds } = contract.preload.waitForOllama
    expect(asked).toEqual([path])
    expect(standard.get('SLATE_WAIT_SECONDS')).toBe(seconds)
  })

  it('is valid JSON and YAML', () => {
    expect(JSON.parse(textOf('slate-tech-tree/tech_tree.json'))).toMatchObject({
      nodes: [{ id: 'k8s-infra' }],
    })
    expect(parse(textOf('slate-instructions/active-state.yaml'))).toMatchObject({ mode: 'active' })
    expect(parse(textOf('slate-instructions/copilot-rules.yaml'))).toHaveProperty('rules.0.id')
  })
})
