// What Prometheus finds with its configuration and its account at a real API server; needs the programs that images/versions.yaml builds.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { ConnectedKube, KubeObject } from '../../../../bootstrap/kube/client.ts'
import { connect } from '../../../../bootstrap/kube/connect.ts'
import { renderKustomization } from '../../../../bootstrap/manifests/render.ts'
import { resolvePaths } from '../../../../bootstrap/state/paths.ts'
import { adminCaller, tokenCaller } from '../../../../e2e/harness/api-caller.ts'
import { findKubernetesBinary, startApiServer, type ApiServer } from '../../../../e2e/harness/api-server.ts'
import { eventually } from '../../../../e2e/harness/eventually.ts'
import { builtPrometheus, startPrometheus } from '../../../../e2e/harness/prometheus-server.ts'
import { requestToken } from '../../../../e2e/harness/service-account-token.ts'

const repo = join(import.meta.dirname, '..', '..', '..', '..')
const paths = resolvePaths(repo, {}, process.env, process.cwd())
const signal = () => AbortSignal.timeout(60_000)

const ending = new AsyncDisposableStack()
let server: ApiServer
let kube: ConnectedKube
let objects: KubeObject[]
let token: string
let port: number

beforeAll(async () => {
  const binary = findKubernetesBinary(paths.cacheDir)
  if (binary === undefined)
    throw new Error(
      'There is no Kubernetes binary: build the images first, or name one in LOCAL_CLOUD_KUBERNETES_BINARY.',
    )
  server = ending.use(
    await startApiServer({
      binary,
      controllers: ['serviceaccount-controller', 'garbage-collector-controller'],
      signal: signal(),
    }),
  )
  const context = 'api-server'
  const { kubeconfigFile } = server
  kube = await connect({ kubeconfigFile, context, signal: signal() })
  ending.defer(() => {
    kube.close()
  })
  const namespaces = ['monitoring', 'inference', 'agents', 'elsewhere'].map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
  }))
  objects = await renderKustomization(import.meta.dirname, { paths, signal: signal() })
  await kube.apply([...namespaces, ...objects], { signal: signal() })
  using admin = await adminCaller({ kubeconfigFile, context })
  token = await requestToken(admin, { namespace: 'monitoring', name: 'prometheus' }, signal())
  const pods = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' })
    // Every pod says that it is another one.
    response.end(`asked{path="${request.url ?? ''}", namespace="inference", pod="forged"} 1\n`)
  })
  await new Promise<void>((resolve) => pods.listen(0, '127.0.0.1', resolve))
  ending.defer(() => {
    pods.closeAllConnections()
    pods.close()
  })
  port = (pods.address() as AddressInfo).port
})
afterAll(() => ending.disposeAsync())

/** A pod of which somebody says that it runs here. */
async function pod(
  namespace: string,
  name: string,
  { scrape = 'true', phase = 'Running' } = {},
): Promise<void> {
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace, name }
  await kube.waitFor(
    { apiVersion: 'v1', kind: 'ServiceAccount', namespace, name: 'default' },
    (account) => (account ? { met: true, seen: 'there' } : { met: false, seen: 'none' }),
    { timeoutMs: 30_000, signal: signal() },
  )
  const annotations = {
    'prometheus.io/scrape': scrape,
    'prometheus.io/port': String(port),
    'prometheus.io/path': `/${name}`,
  }
  await kube.apply(
    [
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace, annotations },
        spec: {
          nodeName: 'node-1',
          initContainers: [{ name: 'first', image: 'none:1' }],
          containers: [
            { name: 'main', image: 'none:1', ports: [{ containerPort: 8000 }, { containerPort: 8001 }] },
            { name: 'beside', image: 'none:1' },
          ],
        },
      },
    ],
    { signal: signal() },
  )
  await kube.patch(
    ref,
    { status: { phase, podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }] } },
    { signal: signal(), subresource: 'status' },
  )
}

it(
  'Prometheus scrapes each pod of both zones that asks for it once, under its own name',
  { timeout: 120_000 },
  async () => {
    await pod('inference', 'deepseek')
    await pod('agents', 'orchestrator')
    await pod('agents', 'quiet', { scrape: 'false' })
    await pod('inference', 'over', { phase: 'Failed' })
    await pod('elsewhere', 'other')
    const config = objects.find(({ metadata: { name } }) => name === 'prometheus-config')
    const shipped = parse((config?.['data'] as Record<string, string>)['prometheus.yml'] ?? '') as {
      scrape_configs: { job_name: string; kubernetes_sd_configs?: [object] }[]
    }
    const zones = shipped.scrape_configs.find(({ job_name: job }) => job === 'zones')
    const [discovery] = zones?.kubernetes_sd_configs ?? []
    await using prometheus = await startPrometheus(builtPrometheus(paths.cacheDir, 'prometheus'), {
      scrape: [
        {
          ...zones,
          kubernetes_sd_configs: [
            {
              ...discovery,
              api_server: server.url,
              authorization: { credentials: token },
              tls_config: { insecure_skip_verify: true },
            },
          ],
        },
      ],
    })
    const { api } = prometheus
    const found = async (stop: AbortSignal) =>
      (await api.targets(stop).catch(() => []))
        .map(
          ({ labels, url, health }) =>
            `${String(labels['namespace'])}/${String(labels['pod'])} on ${String(labels['node'])} ${url} ${health}`,
        )
        .sort()
    const here = (namespace: string, name: string): string =>
      `${namespace}/${name} on node-1 http://127.0.0.1:${String(port)}/${name} up`
    const are = (wanted: string[]) => async (stop: AbortSignal) => {
      const seen = await found(stop)
      return {
        ok: JSON.stringify(seen) === JSON.stringify(wanted),
        seen: `${seen.join(', ')} ${prometheus.log().slice(-300)}`,
      }
    }
    const pace = { timeoutMs: 60_000, intervalMs: 500 }
    await eventually('two pods', are([here('agents', 'orchestrator'), here('inference', 'deepseek')]), pace)
    const samples = await api.query('asked', signal())
    expect(
      samples.map(({ labels }) => [labels['namespace'], labels['pod'], labels['exported_pod']]).sort(),
    ).toEqual([
      ['agents', 'orchestrator', 'forged'],
      ['inference', 'deepseek', 'forged'],
    ])

    const ref = { apiVersion: 'v1', kind: 'Pod', namespace: 'inference', name: 'deepseek' }
    await kube.delete(ref, { signal: signal(), gracePeriodSeconds: 0 })
    await eventually('the pod that is left', are([here('agents', 'orchestrator')]), pace)
  },
)

it('its account may list pods of both zones, and nothing beside', async () => {
  using caller = await tokenCaller({ kubeconfigFile: server.kubeconfigFile, context: 'api-server' }, token)
  const status = async (path: string): Promise<number> =>
    (await caller.call({ method: 'GET', path, signal: signal() })).status
  expect(await status('/api/v1/namespaces/inference/pods')).toBe(200)
  expect(await status('/api/v1/namespaces/agents/pods')).toBe(200)
  for (const path of [
    '/api/v1/namespaces/inference/secrets',
    '/api/v1/namespaces/agents/pods/orchestrator/log',
    '/api/v1/namespaces/monitoring/pods',
    '/api/v1/pods',
    '/api/v1/nodes',
  ])
    expect(await status(path), path).toBe(403)
})
