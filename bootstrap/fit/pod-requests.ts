import { listOf, type Container, type PodSpec } from '../manifests/pod-template.ts'
import { quantity } from '../manifests/quantity.ts'

/** Amounts by resource, in base units: cores, bytes, pieces. */
export type Amounts = Readonly<Record<string, number>>

/** What a LimitRange gives a container that asks for nothing. */
export interface ContainerDefaults {
  requests: Amounts
  limits: Amounts
}

export const add = (a: Amounts, b: Amounts, times = 1): Amounts =>
  combine(a, b, (one, other) => one + other * times)

const larger = (a: Amounts, b: Amounts): Amounts => combine(a, b, Math.max)

function combine(a: Amounts, b: Amounts, how: (a: number, b: number) => number): Amounts {
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries([...names].map((name) => [name, how(a[name] ?? 0, b[name] ?? 0)]))
}

/** The quantities that can be read; the schema check has told about the others. */
export const amounts = (given: Record<string, unknown> | undefined): Amounts =>
  Object.fromEntries(
    Object.entries(given ?? {}).flatMap(([name, value]) => {
      const amount = quantity(value)
      return Number.isNaN(amount) ? [] : [[name, amount]]
    }),
  )

/**
 * What the scheduler sets aside for one pod: the sum of its containers or, where that is more, what its init containers need one
 * after the other, those that stay counted in both
 * (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers).
 */
export function podRequests(spec: PodSpec, defaults?: ContainerDefaults): Amounts {
  const own = listOf(spec.containers).reduce<Amounts>(
    (sum, container) => add(sum, containerRequests(container, defaults)),
    {},
  )
  let staying: Amounts = {}
  let starting: Amounts = {}
  for (const container of listOf(spec.initContainers)) {
    const requests = add(containerRequests(container, defaults), staying)
    if (container.restartPolicy === 'Always') staying = requests
    starting = larger(starting, requests)
  }
  return add(larger(add(own, staying), starting), amounts(spec.overhead))
}

/** A limit without a request is a request; what is left open the LimitRange fills in. */
function containerRequests({ resources }: Container, defaults: ContainerDefaults | undefined): Amounts {
  const limits = amounts(resources?.limits)
  const given = { ...limits, ...amounts(resources?.requests) }
  return { ...defaults?.limits, ...defaults?.requests, ...given }
}
