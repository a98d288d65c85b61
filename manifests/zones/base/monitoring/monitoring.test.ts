import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { imagesOf } from '../../../../bootstrap/fit/images.ts'
import { readVersions } from '../../../../bootstrap/images/versions.ts'
import type { KubeObject } from '../../../../bootstrap/kube/client.ts'
import { renderKustomization } from '../../../../bootstrap/manifests/render.ts'
import { validateObjects } from '../../../../bootstrap/manifests/validate.ts'
import { resolvePaths } from '../../../../bootstrap/state/paths.ts'

const repo = join(import.meta.dirname, '..', '..', '..', '..')
const paths = resolvePaths(repo, {}, process.env, process.cwd())

let objects: KubeObject[]
beforeAll(async () => {
  objects = await renderKustomization(import.meta.dirname, { paths, signal: AbortSignal.timeout(30_000) })
}, 60_000)

const all = (kind: string): KubeObject[] => objects.filter((object) => object.kind === kind)
function one(kind: string, name = 'prometheus', namespace = 'monitoring'): KubeObject {
  const found = all(kind).find(({ metadata: of }) => of.name === name && of.namespace === namespace)
  if (!found) throw new Error(`no ${kind} ${namespace}/${name}`)
  return found
}

describe('the objects of the monitoring', () => {
  it('are valid', () => {
    expect(validateObjects(objects, 'monitoring')).toEqual([])
  })

  it('let Prometheus find pods of the two zones, and nothing else', () => {
    expect(all('ClusterRole').concat(all('ClusterRoleBinding'))).toEqual([])
    expect(all('Role').map(({ metadata, rules }) => [metadata.namespace, rules as unknown])).toEqual(
      ['agents', 'inference'].map((namespace) => [
        namespace,
        [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }],
      ]),
    )
    for (const { metadata, roleRef, subjects } of all('RoleBinding')) {
      expect(roleRef).toMatchObject({ kind: 'Role', name: `prometheus-in-${metadata.namespace ?? ''}` })
      expect(subjects).toEqual([{ kind: 'ServiceAccount', name: 'prometheus', namespace: 'monitoring' }])
    }
  })

  it('run one pod that may do nothing on its node', () => {
    const { replicas, strategy, template } = one('Deployment')['spec'] as {
      replicas: number
      strategy: unknown
      template: { spec: Record<string, unknown> & { containers: [Record<string, unknown>] } }
    }
    expect({ replicas, strategy }).toEqual({ replicas: 1, strategy: { type: 'Recreate' } })
    expect(template.spec['securityContext']).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 65534,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    const [container] = template.spec.containers
    expect(container['securityContext']).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    const args = (container['args'] as string[]).join(' ')
    expect(args).not.toMatch(/enable-lifecycle|enable-admin-api|remote-write/)
    expect(args).toContain('--enable-feature=auto-reload-config')
  })

  it('run an image that is built for who asks for it', async () => {
    const [ref, ...others] = imagesOf(objects)
    expect(others).toEqual([])
    const recipe = (await readVersions(repo)).images.find((image) => image.ref === ref)
    expect(recipe).toMatchObject({ preload: false, optional: true, user: '65534:65534' })
  })
})

interface Config {
  rule_files: string[]
  scrape_configs: {
    job_name: string
    honor_labels?: boolean
    kubernetes_sd_configs?: unknown
    relabel_configs?: { target_label?: string; source_labels: string[]; action?: string; regex?: string }[]
  }[]
}

describe('the configuration', () => {
  const read = (): Config =>
    parse(
      (one('ConfigMap', 'prometheus-config')['data'] as Record<string, string>)['prometheus.yml']!,
    ) as Config
  const zones = () => read().scrape_configs.find(({ job_name: name }) => name === 'zones')

  it('and the alerts are where the pod mounts them', () => {
    const { template } = one('Deployment')['spec'] as {
      template: {
        spec: {
          volumes: { name: string; configMap?: { name: string } }[]
          containers: [{ args: string[]; volumeMounts: { name: string; mountPath: string }[] }]
        }
      }
    }
    const [{ args, volumeMounts }] = template.spec.containers
    const files = template.spec.volumes.flatMap(({ name, configMap }) => {
      const mount = volumeMounts.find((other) => other.name === name)
      if (!configMap || !mount) return []
      const keys = Object.keys(one('ConfigMap', configMap.name)['data'] as object)
      return keys.map((key) => `${mount.mountPath}/${key}`)
    })
    expect(args).toContain(`--config.file=${files[0]!}`)
    expect(read().rule_files).toEqual([files[1]!.replace(/[^/]+$/, '*.yaml')])
    expect(files).toHaveLength(2)
    for (const { mountPath } of volumeMounts)
      expect(volumeMounts.filter((other) => other.mountPath.startsWith(`${mountPath}/`))).toEqual([])
  })

  it('looks for annotated pods of both zones and believes nothing that they say of themselves', () => {
    const {
      honor_labels: honorLabels,
      kubernetes_sd_configs: discovery,
      relabel_configs: rules = [],
    } = zones()!
    expect(discovery).toEqual([{ role: 'pod', namespaces: { names: ['inference', 'agents'] } }])
    expect(honorLabels).toBe(false)
    expect(rules).toContainEqual({
      source_labels: ['__meta_kubernetes_pod_annotation_prometheus_io_scrape'],
      action: 'keep',
      regex: 'true',
    })
    const from = new Map(rules.map((rule) => [rule.target_label, rule.source_labels]))
    expect(from.get('namespace')).toEqual(['__meta_kubernetes_namespace'])
    expect(from.get('pod')).toEqual(['__meta_kubernetes_pod_name'])
  })
})

/** Ports by the zone or block that a rule names. */
const ports = (
  rules: { to?: Peer[]; from?: Peer[]; ports: { port: number }[] }[],
): Record<string, number[]> =>
  Object.fromEntries(
    rules.flatMap((rule) =>
      (rule.to ?? rule.from ?? []).map((peer) => [
        peer.ipBlock?.cidr ?? peer.namespaceSelector?.matchLabels['kubernetes.io/metadata.name'] ?? 'own',
        rule.ports.map(({ port }) => port),
      ]),
    ),
  )
interface Peer {
  ipBlock?: { cidr: string }
  namespaceSelector?: { matchLabels: Record<string, string> }
  podSelector?: { matchLabels?: Record<string, string> }
}

describe('the network policies', () => {
  it('let Prometheus reach what it scrapes and the API server, and only its own namespace reach it', () => {
    const { ingress, egress, podSelector, policyTypes } = one('NetworkPolicy')['spec'] as never
    expect(policyTypes).toEqual(['Ingress', 'Egress'])
    expect(podSelector).toEqual((one('Deployment')['spec'] as { selector: unknown }).selector)
    expect(ports(ingress)).toEqual({ own: [9090] })
    const nodes = [8000, 6443]
    expect(ports(egress)).toEqual({
      inference: [8000],
      agents: [9000, 9001],
      '10.0.0.0/8': nodes,
      '172.16.0.0/12': nodes,
      '192.168.0.0/16': nodes,
    })
  })

  it('of the zones let it in at the port that each pod of them says in its annotations, and at no other', async () => {
    const base = await renderKustomization(join(import.meta.dirname, '..'), {
      paths,
      signal: AbortSignal.timeout(30_000),
    })
    const policies = base.filter(({ kind, metadata }) =>
      /^NetworkPolicy .*-from-monitoring$/.test(`${kind} ${metadata.name}`),
    )
    const opened = new Map<string, number[]>()
    for (const deployment of base.filter(({ kind }) => kind === 'Deployment')) {
      const { namespace, name } = deployment.metadata
      const pod = (deployment['spec'] as { template: KubeObject }).template.metadata
      for (const policy of policies.filter(({ metadata }) => metadata.namespace === namespace)) {
        const { podSelector, ingress } = policy['spec'] as {
          podSelector: { matchLabels: Record<string, string> }
          ingress: { from: Peer[]; ports: { port: number }[] }[]
        }
        const wanted = Object.entries(podSelector.matchLabels)
        if (wanted.some(([label, value]) => pod.labels?.[label] !== value)) continue
        expect(pod.annotations).toMatchObject({
          'prometheus.io/scrape': 'true',
          'prometheus.io/path': '/metrics',
        })
        expect(ports(ingress)).toEqual({ monitoring: [Number(pod.annotations?.['prometheus.io/port'])] })
        opened.set(name, ports(ingress)['monitoring'] ?? [])
      }
    }
    expect(Object.fromEntries(opened)).toEqual({
      'deepseek-v32': [8000],
      'glm-executor': [8000],
      'minimax-failsafe': [8000],
      'agent-orchestrator': [9000],
      metacognition: [9001],
    })
  })
})
