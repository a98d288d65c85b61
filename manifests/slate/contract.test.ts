import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { validateObjects } from '../../bootstrap/manifests/validate.ts'
import { checkContract, countFacts } from './check-contract.ts'
import { type EnvironmentName, readContract } from './contract.ts'
import { rendered } from '../checks/rendered.ts'

const contract = readContract()
const environments = Object.keys(contract.environments) as EnvironmentName[]

describe.each(environments)('SLATE, environment %s', (environment) => {
  const { render } = contract.environments[environment]
  let manifests: KubeObject[]

  beforeAll(async () => {
    manifests = await rendered(render)
  })

  it('holds every fact of the specification', () => {
    expect(checkContract(contract, environment, manifests)).toEqual([])
    const count = countFacts(contract, environment, manifests)
    process.stdout.write(`SLATE, ${environment}: ${count} facts of ${manifests.length} objects compared\n`)
  })

  it('is valid, and no name in it leads nowhere', () => {
    expect(validateObjects(manifests, render)).toEqual([])
  })
})

describe('the contract', () => {
  const componentLabel = 'app.kubernetes.io/component'
  const policy = (name: string) => {
    const row = contract.networkPolicies.find((one) => one.name === name)
    if (row === undefined) throw new Error(`no policy ${name}`)
    return row
  }

  it('knows every overlay that there is', () => {
    const overlays = readdirSync(new URL('../../overlays/slate', import.meta.url))
    expect(environments.filter((name) => name !== 'base').sort()).toEqual(overlays.sort())
  })

  it('rests on decisions that are written down', () => {
    const text = readFileSync(new URL('contract.yaml', import.meta.url), 'utf8')
    const written = readdirSync(new URL('../../docs/decisions', import.meta.url)).map((name) =>
      name.slice(0, 4),
    )
    const cited = [...new Set(text.match(/(?<=ADR )\d{4}/g))]
    expect(cited.length).toBeGreaterThan(0)
    expect(cited.filter((number) => !written.includes(number))).toEqual([])
  })

  it('opens the API server to exactly the pods that hold a token of slate-core', () => {
    const [core] = contract.serviceAccounts.names
    const holders = [
      ...contract.deployments,
      ...contract.cronJobs.map((row) => ({ ...row, component: row.job })),
      contract.preload,
    ]
      .filter(({ serviceAccount, token }) => serviceAccount === core && token)
      .map(({ component }) => component)
    expect(policy('allow-api-server-egress').pods[componentLabel]).toEqual(holders.sort())
  })

  it('opens to the Ingress controller exactly what the Ingress routes to', () => {
    const backends = Object.values(contract.ingress.routes).map((backend) => {
      const [name, port = ''] = backend.split(':')
      const service = contract.services.rows.find((row) => row.name === name)
      return { component: service?.selector[componentLabel], port }
    })
    const { pods, ingress } = policy('allow-ingress-to-services')
    expect(pods[componentLabel]).toEqual([...new Set(backends.map(({ component }) => component))].sort())
    expect(ingress.flatMap(({ ports }) => ports)).toEqual(
      [...new Set(backends.map(({ port }) => `TCP ${port}`))].sort(),
    )
  })

  it('lets exactly SLATE’s own services out to GitHub', () => {
    const own = contract.deployments.filter(({ entrypoint }) => entrypoint !== undefined)
    expect(policy('allow-github-egress').pods[componentLabel]).toEqual(
      own.map(({ component }) => component).sort(),
    )
  })

  it.each(['ollama', 'chromadb'])('opens %s at its own port, and gives it no way out', (name) => {
    const { ports } = contract.deployments.find((row) => row.name === name) ?? { ports: [] }
    const { ingress, egress, types } = policy(`allow-${name}-from-slate`)
    expect(ingress.map((rule) => rule.ports)).toEqual([ports.map((port) => `TCP ${port}`)])
    expect({ egress, types }).toEqual({ egress: [], types: policy('default-deny-all').types })
  })

  it('names only components of overlays that exist', () => {
    for (const optional of Object.values(contract.optional)) {
      const folder = 'component' in optional ? optional.component : optional.render
      expect(existsSync(new URL(`../../${folder}/kustomization.yaml`, import.meta.url))).toBe(true)
    }
  })
})
