import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { describe, expect, it } from 'vitest'
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
    const command = [...contract.entrypoint.command, 'dashboard']
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

  it('is valid JSON and YAML', () => {
    expect(JSON.parse(textOf('slate-tech-tree/tech_tree.json'))).toMatchObject({
      nodes: [{ id: 'k8s-infra' }],
    })
    expect(parse(textOf('slate-instructions/active-state.yaml'))).toMatchObject({ mode: 'active' })
    expect(parse(textOf('slate-instructions/copilot-rules.yaml'))).toHaveProperty('rules.0.id')
  })
})
