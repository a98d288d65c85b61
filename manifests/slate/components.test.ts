import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { validateObjects } from '../../bootstrap/manifests/validate.ts'
import { checkContract } from './check-contract.ts'
import { violationsOf } from '../checks/violations.ts'
import { readContract, withGpus } from './contract.ts'
import { networkPolicyFacts } from './facts/network.ts'
import { at, idOf, listAt } from '../checks/manifest.ts'
import { rendered, renderedWith } from '../checks/rendered.ts'

const contract = readContract()
const repo = fileURLToPath(new URL('../..', import.meta.url))
const { local } = contract.environments
const { monitoring, realModels } = contract.optional

describe('the components that no overlay has', () => {
  let folder: string
  let plain: KubeObject[]
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'slate-component-'))
    plain = await rendered(local.render)
  })
  afterAll(() => {
    rmSync(folder, { recursive: true })
  })

  /** The local overlay with a component, as a user would add it in a kustomization of their own. */
  const withComponent = (component: string): Promise<KubeObject[]> => {
    const path = (to: string) => relative(folder, join(repo, to))
    writeFileSync(
      join(folder, 'kustomization.yaml'),
      JSON.stringify({ resources: [path(local.render)], components: [path(component)] }),
    )
    return rendered(relative(repo, folder))
  }

  describe('monitoring', () => {
    let manifests: KubeObject[]
    let added: KubeObject[]
    beforeAll(async () => {
      manifests = await withComponent(monitoring.component)
      added = manifests.filter((one) => !plain.some((other) => idOf(other) === idOf(one)))
    }, 30_000)

    it('adds its monitors and its policy, valid, labelled and in the namespace, and changes nothing else', () => {
      expect(validateObjects(manifests, monitoring.component)).toEqual([])
      const ids = [
        ...monitoring.targets.map(({ monitor }) => `ServiceMonitor/${monitor}`),
        `NetworkPolicy/${monitoring.policy.name}`,
      ]
      expect(added.map(idOf).sort()).toEqual(ids.toSorted())
      const [violation, ...others] = checkContract(contract, 'local', manifests)
      expect(violation).toMatchObject({ fact: 'inventory', seen: { missing: [] } })
      expect(listAt(violation?.seen, 'extra').sort()).toEqual(ids.toSorted())
      expect(others).toEqual([])
    })

    it.each(monitoring.targets)('scrapes $service on $port, once', ({ monitor, service, port, label }) => {
      const spec: unknown = added.find((one) => idOf(one) === `ServiceMonitor/${monitor}`)?.['spec']
      const [endpoint, ...others] = listAt(spec, 'endpoints')
      expect(others).toEqual([])
      expect(at(endpoint, 'path')).toBe(monitoring.path)
      // Of the Services that the labels select, the relabelling keeps one.
      const keep = listAt(endpoint, 'relabelings').find((one) => at(one, 'action') === 'keep')
      const kept = manifests.filter(
        ({ kind, metadata }) =>
          kind === 'Service' &&
          Object.entries((at(spec, 'selector', 'matchLabels') ?? {}) as Record<string, string>).every(
            ([key, value]) => metadata.labels?.[key] === value,
          ) &&
          metadata.name === at(keep, 'regex'),
      )
      expect(kept.map(({ metadata }) => metadata.name)).toEqual([service])
      const named = kept
        .flatMap((one) => listAt(one, 'spec', 'ports'))
        .find((one) => at(one, 'name') === at(endpoint, 'port'))
      expect(at(named, 'port')).toBe(port)
      expect(listAt(endpoint, 'relabelings')).toContainEqual({
        action: 'replace',
        targetLabel: 'component',
        replacement: label,
      })
    })

    it('lets the monitoring namespace in where no other policy does', () => {
      expect(violationsOf(networkPolicyFacts(monitoring.policy), manifests)).toEqual([])
      const opened = [
        ...contract.networkPolicies.filter(({ ingress }) =>
          ingress.some(({ peers }) => peers.includes('any')),
        ),
        monitoring.policy,
      ].flatMap(({ ingress }) => ingress.flatMap(({ ports }) => ports))
      expect(opened.sort()).toEqual(monitoring.targets.map(({ port }) => `TCP ${port}`).sort())
    })
  })

  it('real-models opens Ollama’s way out and says where models come from, and changes nothing else', async () => {
    const manifests = await withComponent(realModels.component)
    expect(validateObjects(manifests, realModels.component)).toEqual([])
    expect(violationsOf(networkPolicyFacts(realModels.policy), manifests)).toEqual([])
    const pulling = {
      ...contract,
      networkPolicies: [...contract.networkPolicies, realModels.policy],
      environments: { ...contract.environments, local: { ...local, baseModels: realModels.baseModels } },
    }
    expect(checkContract(pulling, 'local', manifests)).toEqual([])
    expect(checkContract(pulling, 'local', plain).map(({ fact }) => fact)).toContain('base models')
  })
})

describe('the option gpu', () => {
  it('gives Ollama and the autonomous loop a GPU each, and changes nothing else of the local overlay', async () => {
    const manifests = await renderedWith('slate', 'local', { gpu: 'on' })
    expect(checkContract(withGpus(contract), 'local', manifests)).toEqual([])
    expect(
      checkContract(contract, 'local', manifests).map(({ object, fact }) => `${object}: ${fact}`),
    ).toEqual([
      'Deployment/slate-autonomous-loop: GPU',
      'Deployment/ollama: GPU',
      'Deployment/ollama: node selector',
    ])
  })
})
