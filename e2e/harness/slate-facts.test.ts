import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { rendered } from '../../manifests/checks/rendered.ts'
import { violationsOf } from '../../manifests/checks/violations.ts'
import { factsAbout } from './slate-facts.ts'
import { objectNamed } from './slate-objects.ts'

const object = 'Deployment/slate-dashboard'

describe('facts about a live object', () => {
  let deployment: KubeObject
  beforeAll(async () => {
    deployment = objectNamed(await rendered('overlays/slate/local'), object)
  })
  const template = () =>
    (deployment['spec'] as { template: { metadata: { annotations: Record<string, string> } } }).template

  it('hold where the object is as rendered, whatever restarts and local-cloud wrote on it', () => {
    Object.assign(template().metadata.annotations, {
      'kubectl.kubernetes.io/restartedAt': 'now',
      'local-cloud.io/images': 'sha256:0',
    })
    expect(
      violationsOf(factsAbout(object, ['replicas', 'scrape annotations', 'liveness probe']), [deployment]),
    ).toEqual([])
  })

  it('name what does not hold', () => {
    const changed = structuredClone(deployment)
    ;(changed['spec'] as { replicas: number }).replicas = 7
    expect(violationsOf(factsAbout(object, ['replicas', 'rollout']), [changed])).toMatchObject([
      { fact: 'replicas', expected: 2, seen: 7 },
    ])
  })

  it('break the check where the contract says nothing', () => {
    expect(() => factsAbout(object, ['colour'])).toThrow(/says nothing about colour/)
  })
})
