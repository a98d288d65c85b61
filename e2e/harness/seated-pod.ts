import type { KubeClient, KubeObject, ObjectRef } from '../../bootstrap/kube/client.ts'
import { conditionOf } from '../../bootstrap/kube/shapes.ts'
import { at, textAt } from '../../manifests/checks/manifest.ts'
import type { Looker } from './look.ts'
import { probePodManifest } from './probe-pod.ts'

/** A pod of next to no needs that asks for one piece of `resource` on one node: who gets it shows whom the scheduler prefers. */
export function seatedPod(options: {
  namespace: string
  runId: string
  name: string
  priorityClassName: string
  resource: string
  node: string
}): KubeObject {
  const { priorityClassName, resource, node, ...identity } = options
  const manifest = probePodManifest(identity)
  const spec = manifest['spec'] as { containers: [{ resources: unknown }] }
  spec.containers[0].resources = {
    requests: { cpu: '1m', memory: '16Mi', [resource]: '1' },
    limits: { cpu: '100m', memory: '32Mi', [resource]: '1' },
  }
  manifest['spec'] = { ...spec, priorityClassName, nodeSelector: { 'kubernetes.io/hostname': node } }
  return manifest
}

/** Whether the pod has a node. */
export const hasSeat =
  (kube: Pick<KubeClient, 'get'>, pod: ObjectRef): Looker =>
  async (signal) => {
    const node = textAt(await kube.get(pod, signal), 'spec', 'nodeName')
    return { ok: node !== '', seen: node === '' ? 'on no node' : `on ${node}` }
  }

/** Whether the scheduler has tried and found no piece of the resource. */
export const findsNoSeat =
  (kube: Pick<KubeClient, 'get'>, pod: ObjectRef, resource: string): Looker =>
  async (signal) => {
    const found = await kube.get(pod, signal)
    const { status = '', message = '' } = (found && conditionOf(found, 'PodScheduled')) ?? {}
    const waits = status === 'False' && message.includes(`Insufficient ${resource}`)
    return { ok: waits && at(found, 'spec', 'nodeName') === undefined, seen: message }
  }
