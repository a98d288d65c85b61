import { selects, type LabelSelector } from '../kube/label-selector.ts'
import { containersOf, listOf, podTemplateOf, type Container, type PodTemplate } from './pod-template.ts'
import type { FieldProblem } from './schema.ts'

/** What a workload must keep to itself: its selector matches its own pods, mounts name its volumes, probes name its ports. */
export function workloadProblems(object: Record<string, unknown>): FieldProblem[] {
  const pod = podTemplateOf(object)
  if (!pod) return []
  const problems = containersOf(pod).flatMap(({ path, container }) => containerProblems(pod, path, container))
  const names = containersOf(pod).flatMap(({ container }) => container.name ?? [])
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    problems.push({ field: `${pod.path}.containers`, problem: `has two containers named "${twice}"` })

  const selector = (object['spec'] as { selector?: LabelSelector } | undefined)?.selector
  const selecting = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'].includes(String(object['kind']))
  if (selecting && typeof selector === 'object' && !selects(selector, pod.labels)) {
    problems.push({
      field: 'spec.selector',
      problem: "does not match the labels of the object's own pod template",
    })
  }
  return problems
}

function containerProblems(pod: PodTemplate, path: string, container: Container): FieldProblem[] {
  const problems: FieldProblem[] = []
  const volumes = new Set([...pod.claims, ...listOf(pod.spec.volumes).flatMap((volume) => volume.name ?? [])])
  for (const [index, mount] of listOf(container.volumeMounts).entries()) {
    if (mount.name !== undefined && !volumes.has(mount.name)) {
      problems.push({
        field: `${path}.volumeMounts[${String(index)}].name`,
        problem: `names the volume "${mount.name}", which the pod does not have`,
      })
    }
  }
  const ports = listOf(container.ports)
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) {
    for (const way of ['httpGet', 'tcpSocket', 'grpc'] as const) {
      const port = container[probe]?.[way]?.port
      if (port === undefined) continue
      const field = `${path}.${probe}.${way}.port`
      if (typeof port === 'string' && !ports.some((one) => one.name === port)) {
        problems.push({ field, problem: `names the port "${port}", which the container does not have` })
      }
      // A container may listen on ports that it does not declare; one that declares some and not the probed one is a slip.
      const declares = ports.length > 0 && pod.spec.hostNetwork !== true
      if (typeof port === 'number' && declares && !ports.some((one) => one.containerPort === port)) {
        const declared = ports.map((one) => String(one.containerPort)).join(', ')
        problems.push({ field, problem: `is ${String(port)}, but the container declares ${declared}` })
      }
    }
  }
  return problems
}
