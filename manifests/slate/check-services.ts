import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { at, idOf, listAt, podSpecOf, textAt } from '../checks/manifest.ts'

/**
 * What is wrong with the way of a Service to its pods, one sentence each: it has to select the pods of exactly one Deployment, and
 * each port has to lead to the container port of the same number (ADR 0001, 0002). An empty list means that all is well.
 */
export function checkServices(manifests: readonly KubeObject[]): string[] {
  const deployments = manifests.filter(({ kind }) => kind === 'Deployment')
  return manifests
    .filter(({ kind }) => kind === 'Service')
    .flatMap((service) => {
      const selected = deployments.filter((deployment) => selects(service, deployment))
      const [target] = selected
      if (target !== undefined && selected.length === 1) return portProblems(service, target)
      return [`${idOf(service)} selects ${selected.map(idOf).join(', ') || 'no Deployment'}`]
    })
}

function selects(service: KubeObject, deployment: KubeObject): boolean {
  const labels = at(deployment, 'spec', 'template', 'metadata', 'labels')
  const selector = Object.entries((at(service, 'spec', 'selector') ?? {}) as Record<string, string>)
  return selector.length > 0 && selector.every(([key, value]) => at(labels, key) === value)
}

function portProblems(service: KubeObject, target: KubeObject): string[] {
  const ports = listAt(podSpecOf(target), 'containers').flatMap((container) => listAt(container, 'ports'))
  return listAt(service, 'spec', 'ports').flatMap((port) => {
    const wanted = at(port, 'targetPort') ?? at(port, 'port')
    const found = ports.find((one) => at(one, 'name') === wanted || at(one, 'containerPort') === wanted)
    return found !== undefined && at(found, 'containerPort') === at(port, 'port')
      ? []
      : [`${idOf(service)} port ${textAt(port, 'port')} does not lead to that port of ${idOf(target)}`]
  })
}
