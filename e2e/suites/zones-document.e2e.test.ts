import { randomBytes } from 'node:crypto'
import { beforeAll, describe, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { kubectl } from '../../bootstrap/tools/kubectl.ts'
import {
  documentCommands,
  kubectlWords,
  type DocumentCommand,
} from '../../manifests/zones/document-commands.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import type { Look } from '../harness/look.ts'
import { probeImage } from '../harness/probe-pod.ts'
import { recordOf } from '../harness/record.ts'
import { runLabel } from '../harness/run-id.ts'
import { NotProven } from '../harness/verdict.ts'
import { readyPodOfWorkload, requireZones, zoneA, zonesOverlay } from '../harness/zones.ts'

/*
 * The document's own commands for looking, run as they stand there (manifests/zones/document-commands.yaml has them with their lines): what
 * they print is what the document promises that they show.
 */
const choice = choiceFromEnvironment()
const looking = documentCommands().filter(({ expect }) => expect !== undefined)

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choice, AbortSignal.timeout(30_000))
  requireZones(cluster)
})

/** Asks a port of the node's own loopback, from a pod in the network of the node that runs the brain. */
async function onNode({ port, path }: { port: number; path: string }, signal: AbortSignal): Promise<string> {
  const { kube, runId } = cluster
  const { object } = await readyPodOfWorkload(cluster, { namespace: zoneA, name: 'deepseek-v32' }, signal)
  const { nodeName } = object['spec'] as { nodeName: string }
  const name = `on-node-${randomBytes(3).toString('hex')}`
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: zoneA, labels: { [runLabel]: runId } },
    spec: {
      hostNetwork: true,
      nodeName,
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'curl',
          image: probeImage,
          imagePullPolicy: 'IfNotPresent',
          command: ['wget', '-q', '-T', '5', '-O', '-', `http://localhost:${String(port)}${path}`],
          resources: { requests: { cpu: '5m', memory: '16Mi' }, limits: { cpu: '200m', memory: '64Mi' } },
        },
      ],
    },
  }
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace: zoneA, name }
  await kube.apply([pod], { signal, dryRun: 'skip' })
  try {
    await kube.waitFor(
      ref,
      (one) => {
        const phase = (one?.['status'] as { phase?: string } | undefined)?.phase ?? 'no pod'
        return { met: phase === 'Succeeded' || phase === 'Failed', seen: phase }
      },
      { timeoutMs: 60_000, signal },
    )
    return await kube.logs({ namespace: zoneA, name }, signal)
  } finally {
    await kube.delete(ref, { signal: AbortSignal.timeout(30_000), wait: true, gracePeriodSeconds: 0 })
  }
}

async function outputOf(one: DocumentCommand, signal: AbortSignal): Promise<string> {
  if (one.onNode) {
    if (zonesOverlay(cluster) === 'pod-network')
      throw new NotProven(
        'In the overlay pod-network the model server is not on localhost of its node (Z02).',
      )
    return onNode(one.onNode, signal)
  }
  const { stdout, stderr } = await kubectl(kubectlWords(one), {
    kubeconfigFile: cluster.kubeconfigFile,
    signal,
    paths: choice.paths,
  })
  return `${stdout}${stderr}`
}

describe('the command of', () => {
  it.for(looking)('$lines, $id, prints what it is for', async (one, { task, signal }) => {
    if (one.needsGpu && cluster.record?.plan.gpu === undefined)
      throw new NotProven('The cluster has no GPUs.')
    const seen = await eventually(
      one.command,
      async (stop): Promise<Look> => {
        const output = await outputOf(one, stop)
        const missing = (one.expect ?? []).filter((pattern) => !new RegExp(pattern, 'm').test(output))
        return missing.length === 0
          ? { ok: true, seen: output.slice(0, 400) }
          : { ok: false, seen: `nothing like ${missing.join(', ')} in: ${output.slice(-600)}` }
      },
      { timeoutMs: 60_000, intervalMs: 2000, signal },
    )
    recordOf(task.meta).facts.push({ name: one.instead ?? one.command, value: seen })
  })
})
