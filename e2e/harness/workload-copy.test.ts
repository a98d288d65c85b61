import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { rendered } from '../../manifests/checks/rendered.ts'
import { copyWorkload } from './workload-copy.ts'

describe('a copy of a workload', () => {
  let objects: KubeObject[]
  beforeAll(async () => {
    objects = await rendered('overlays/slate/local')
  })
  const copy = (options: Partial<Parameters<typeof copyWorkload>[0]> = {}) =>
    copyWorkload({ objects, deployment: 'slate-dashboard', namespace: 'test', runId: 'run', ...options })
  const ids = (all: readonly KubeObject[]) =>
    all.map(({ kind, metadata }) => `${kind}/${metadata.name}`).sort()

  it('brings along what the pods read, and their Service', () => {
    expect(ids(copy().objects)).toEqual([
      'ConfigMap/slate-dashboard-config',
      'ConfigMap/slate-dashboard-entrypoint',
      'ConfigMap/slate-tech-tree',
      'Deployment/slate-dashboard',
      'Secret/slate-github-secret',
      'Service/slate-dashboard-svc',
      'ServiceAccount/slate-core',
    ])
    expect(new Set(copy().objects.map(({ metadata }) => metadata.namespace))).toEqual(new Set(['test']))
  })

  it('has folders of its own in place of claims, unless they are kept', () => {
    const own = copy({ deployment: 'slate-workflow-manager', keepClaims: ['slate-data-pvc'] })
    const claims = (own.deployment.spec.template.spec.volumes ?? []).map(
      (one) => one.persistentVolumeClaim?.claimName,
    )
    expect(claims.filter((name) => name !== undefined)).toEqual(['slate-data-pvc'])
    expect(ids(own.objects)).toContain('PersistentVolumeClaim/slate-data-pvc')
    expect(own.differs).toContain('an empty folder for slate-workspace-pvc')
  })

  it('under a name of its own is selected by its own Service only', () => {
    const own = copy({ as: 'twin' })
    expect(own.service).toEqual({ name: 'slate-dashboard-svc-twin', port: 8080 })
    expect(own.deployment.spec.selector.matchLabels['app.kubernetes.io/name']).toBe('twin')
    expect(own.deployment.spec.template.metadata.labels['app.kubernetes.io/name']).toBe('twin')
    const service = own.objects.find(({ kind }) => kind === 'Service')
    expect(service?.['spec']).toMatchObject({ selector: { 'app.kubernetes.io/name': 'twin' } })
  })

  it('changes what it is told to, and never the originals', () => {
    const before = structuredClone(objects)
    const own = copy({
      change: ({ spec }) => {
        spec.replicas = 1
      },
    })
    expect(own.deployment.spec.replicas).toBe(1)
    expect(objects).toEqual(before)
  })
})
