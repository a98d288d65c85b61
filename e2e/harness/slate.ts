import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { packageRoot } from '../../bootstrap/state/package-root.ts'
import type { Cluster } from './cluster.ts'
import { NotProven } from './verdict.ts'

/** @throws NotProven on a cluster that was made without SLATE; of a foreign cluster nobody knows what it has, and it passes. */
export function requireSlate({ name, record }: Pick<Cluster, 'name' | 'record'>): void {
  if (record && !record.plan.systems.some((system) => system.name === 'slate')) {
    throw new NotProven(`The cluster ${name} was made without SLATE.`)
  }
}

/**
 * For a pod in SLATE's namespace: the least CPU that its LimitRange lets in, and the class of SLATE's own pods, none of which then takes its
 * place on a full node (000 LimitRange Defaults, Priority Classes).
 */
export const placeInSlate = { cpu: '50m', priorityClassName: 'slate-standard-priority' } as const

const port = z.number().int().positive()

/** The part of manifests/slate/contract.yaml that the suites use; more may stand there. */
const contractShape = z.object({
  namespace: z.object({ name: z.string() }),
  podLabels: z.object({ partOf: z.string() }),
  deployments: z.array(
    z.object({
      name: z.string(),
      component: z.string(),
      replicas: z.number().int().positive(),
      ports: z.array(port),
      entrypoint: z.string().exactOptional(),
      healthPath: z.string(),
    }),
  ),
  services: z.object({
    rows: z.array(
      z.object({ name: z.string(), ports: z.array(port), selector: z.record(z.string(), z.string()) }),
    ),
  }),
  claims: z.object({ sizes: z.record(z.string(), z.string()) }),
  ingress: z.object({ host: z.string(), routes: z.record(z.string(), z.string()) }),
})

export type SlateDeployment = z.output<typeof contractShape>['deployments'][number]

/** One path of the ingress and who must answer there. */
export interface SlateRoute {
  path: string
  service: string
  port: number
  deployment: SlateDeployment
  /** `x-slate-service` of the answer: the name by which the service was started. */
  identity: string
}

/** What SLATE's specification promises, read from the one file that holds it. */
export interface SlateContract {
  namespace: string
  /** Label `app.kubernetes.io/part-of` of every pod of SLATE. */
  partOf: string
  host: string
  routes: SlateRoute[]
  deployments: SlateDeployment[]
  claims: string[]
  /** Host name inside the cluster and first port of the Service that leads to this deployment. @throws Error when there is none */
  serviceOf(deployment: string): { host: string; port: number }
}

/** Reads and checks the contract. @throws Error when it does not fit together: a route to a Service that does not exist, and the like */
export function readSlateContract(
  file: URL | string = path.join(packageRoot, 'manifests/slate/contract.yaml'),
): SlateContract {
  const contract = contractShape.parse(parse(readFileSync(file, 'utf8')))
  const { deployments, services, ingress, namespace } = contract
  const behind = (service: (typeof services.rows)[number]): SlateDeployment => {
    const component = service.selector['app.kubernetes.io/component']
    const name = service.selector['app.kubernetes.io/name']
    const found = deployments.find((one) => one.component === component || one.name === name)
    if (!found) throw new Error(`No deployment of the contract is selected by the Service ${service.name}.`)
    return found
  }
  const routes = Object.entries(ingress.routes).map(([path, target]): SlateRoute => {
    const [name = '', number = ''] = target.split(':')
    const service = services.rows.find((row) => row.name === name && row.ports.includes(Number(number)))
    if (!service)
      throw new Error(`The route ${path} leads to ${target}, which is no Service of the contract.`)
    const deployment = behind(service)
    if (deployment.entrypoint === undefined) {
      throw new Error(`The route ${path} leads to ${deployment.name}, which is no service of SLATE's own.`)
    }
    return { path, service: name, port: Number(number), deployment, identity: deployment.entrypoint }
  })
  return {
    namespace: namespace.name,
    partOf: contract.podLabels.partOf,
    host: ingress.host,
    routes,
    deployments,
    claims: Object.keys(contract.claims.sizes),
    serviceOf(deployment) {
      const service = services.rows.find((row) => behind(row).name === deployment)
      if (!service) throw new Error(`No Service of the contract leads to ${deployment}.`)
      return { host: `${service.name}.${namespace.name}.svc.cluster.local`, port: service.ports[0] ?? 0 }
    },
  }
}
