import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { checkServices } from './check-services.ts'
import { readContract } from './contract.ts'
import { at, idOf } from '../checks/manifest.ts'
import { rendered } from '../checks/rendered.ts'

describe('the way of a Service to its pods', () => {
  let local: readonly KubeObject[]
  const of = (manifests: readonly KubeObject[], id: string) =>
    manifests.find((manifest) => idOf(manifest) === id)!

  beforeAll(async () => {
    local = await rendered(readContract().environments.local.render)
  })

  it('leads to one Deployment and to the port of the same number', () => {
    expect(checkServices(local)).toEqual([])
  })

  it('is missed when the Deployment is taken away', () => {
    expect(checkServices(local.filter((manifest) => idOf(manifest) !== 'Deployment/chromadb'))).toEqual([
      'Service/chromadb-svc selects no Deployment',
    ])
  })

  it('is ambiguous when two Deployments have its label', () => {
    const ollama = of(local, 'Deployment/ollama')
    const twin = { ...ollama, metadata: { ...ollama.metadata, name: 'twin' } }
    expect(checkServices([...local, twin])).toEqual([
      'Service/ollama-svc selects Deployment/ollama, Deployment/twin',
    ])
  })

  it('is wrong when the target is another port', () => {
    const changed = structuredClone(local) as KubeObject[]
    const port = at(of(changed, 'Service/slate-agent-router-svc'), 'spec', 'ports', 0) as Record<
      string,
      unknown
    >
    port['targetPort'] = 'metrics'
    expect(checkServices(changed)).toEqual([
      'Service/slate-agent-router-svc port 8081 does not lead to that port of Deployment/slate-agent-router',
    ])
  })
})
