import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
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
import { CheckBroke, NotProven } from '../harness/verdict.ts'
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

/** Asks a port of localhost from a pod on the node that runs the brain: in the node's network, where it is the node's, or in its own. */
async function askLocalhost(
  { port, path }: { port: number; path: string },
  network: 'node' | 'pod',
  signal: AbortSignal,
): Promise<string> {
  const { kube, runId } = cluster
  const { object } = await readyPodOfWorkload(cluster, { namespace: zoneA, name: 'deepseek-v32' }, signal)
  const { nodeName } = object['spec'] as { nodeName: string }
  const name = `localhost-${randomBytes(3).toString('hex')}`
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: zoneA, labels: { [runLabel]: runId } },
    spec: {
      hostNetwork: network === 'node',
      nodeName,
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'curl',
          image: probeImage,
          imagePullPolicy: 'IfNotPresent',
          command: ['wget', '-q', '-O', '-', `http://localhost:${String(port)}${path}`],
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
    return askLocalhost(one.onNode, 'node', signal)
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
        const output = await outputOf(one, stop).catch((error: unknown) => {
          // That the command ends with an error is what it did, and what is looked at.
          if (error instanceof LocalCloudError && error.code === 'COMMAND_FAILED') return error
          throw error
        })
        if (output instanceof LocalCloudError)
          return { ok: false, seen: [output.message, ...output.evidence].join('; ').slice(-600) }
        const missing = (one.expect ?? []).filter((pattern) => !new RegExp(pattern, 'm').test(output))
        return missing.length === 0
          ? { ok: true, seen: output.slice(0, 400) }
          : { ok: false, seen: `nothing like ${missing.join(', ')} in: ${output.slice(-600)}` }
      },
      { timeoutMs: 60_000, intervalMs: 2000, signal },
    )
    recordOf(task.meta).facts.push({ name: one.instead ?? one.command, value: seen })
  })

  it('L164 is for the node alone: a pod in a network of its own is refused at its localhost (Z18)', async ({
    task,
    signal,
  }) => {
    const health = looking.find(({ id }) => id === 'health')?.onNode
    if (!health) throw new CheckBroke('The document has no command health on the node.')
    if (zonesOverlay(cluster) === 'pod-network')
      throw new NotProven(
        'In the overlay pod-network nothing of the zones is on localhost of the node (Z02).',
      )
    const fromNode = await askLocalhost(health, 'node', signal)
    const fromPod = await askLocalhost(health, 'pod', signal)
    const again = await askLocalhost(health, 'node', signal)
    recordOf(task.meta).controls.push({
      negative: { title: 'a pod in its own network is refused', seen: fromPod.trim() },
      before: { title: 'in the network of the node the brain answers', seen: fromNode.trim() },
      after: { title: 'it still does', seen: again.trim() },
    })
    expect(fromNode).toContain('"status":"ok"')
    expect(again).toContain('"status":"ok"')
    expect(fromPod).toContain('Connection refused')
  })
})
