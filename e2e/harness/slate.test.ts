import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readSlateContract } from './slate.ts'

describe('the contract of SLATE', () => {
  const contract = readSlateContract()

  it('says who must answer on every path of the specification', () => {
    expect(Object.fromEntries(contract.routes.map(({ path: route, identity }) => [route, identity]))).toEqual(
      {
        '/': 'dashboard',
        '/ws': 'dashboard',
        '/api/k8s': 'dashboard',
        '/api/agents': 'agent-router',
        '/api/autonomous': 'autonomous',
        '/api/bridge': 'copilot-bridge',
        '/api/workflow': 'workflow',
        '/metrics': 'agent-router',
      },
    )
  })

  it('names the Services of the two stores by their full names', () => {
    expect(contract.serviceOf('ollama')).toEqual({ host: 'ollama-svc.slate.svc.cluster.local', port: 11434 })
    expect(contract.serviceOf('chromadb')).toEqual({
      host: 'chromadb-svc.slate.svc.cluster.local',
      port: 8000,
    })
    expect(() => contract.serviceOf('slate-core')).toThrow('No Service')
  })

  it('has the seven deployments and the core, and five claims', () => {
    expect(contract.deployments).toHaveLength(8)
    expect(contract.claims).toHaveLength(5)
  })
})

describe('a contract that does not fit together', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'contract-'))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true })
  })

  const read = (target: string, component: string) => {
    const file = path.join(folder, 'contract.yaml')
    writeFileSync(
      file,
      JSON.stringify({
        namespace: { name: 'n' },
        podLabels: { partOf: 'p' },
        deployments: [
          { name: 'web', component: 'web', replicas: 1, ports: [80], entrypoint: 'web', healthPath: '/' },
          { name: 'store', component: 'store', replicas: 1, ports: [80], healthPath: '/' },
        ],
        services: {
          rows: [{ name: 'svc', ports: [80], selector: { 'app.kubernetes.io/component': component } }],
        },
        claims: { sizes: {} },
        ingress: { host: 'h', routes: { '/': target } },
      }),
    )
    return readSlateContract(file)
  }

  it('is refused', () => {
    expect(read('svc:80', 'web').routes[0]?.identity).toBe('web')
    expect(() => read('svc:81', 'web')).toThrow('The route / leads to svc:81')
    expect(() => read('other:80', 'web')).toThrow('no Service of the contract')
    expect(() => read('svc:80', 'nobody')).toThrow('selected by the Service svc')
    expect(() => read('svc:80', 'store')).toThrow("no service of SLATE's own")
  })
})
