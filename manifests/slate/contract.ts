import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'

const text = z.string().min(1)
const names = z.array(text)
const count = z.int().positive()
const stringMap = z.record(text, z.string())
const numbers = z.record(text, count)
const unknowns = z.record(text, z.unknown())
const amounts = z.strictObject({ cpu: text, memory: text })
const resources = z.strictObject({ requests: amounts, limits: amounts })

const environment = z.strictObject({
  section: text,
  /** Folder of the kustomization, relative to the repository. */
  render: text,
  image: text,
  imagePullPolicy: z.enum(['Never', 'IfNotPresent', 'Always']),
  /** Deployment → GPUs in its limits; the others ask for none. */
  gpu: stringMap,
  nodeSelector: z.record(text, stringMap),
  /** Deployment → requests and limits that are stated; the others choose theirs. */
  resources: z.record(text, resources),
  /** Of every container of a job; without it the defaults of the limit range. */
  jobResources: resources.optional(),
  mostRequested: amounts.optional(),
  ingressAnnotations: stringMap,
  /** Whether the Secrets are rendered with a placeholder, or referred to and brought by somebody else. */
  secrets: z.enum(['placeholder', 'external']),
  /** Where the models come from that SLATE's are made of. */
  baseModels: z.enum(['seeded', 'tiny', 'pull']),
  /** Claim → the PersistentVolume that it is bound to; the others take the default storage class. */
  volumes: z.record(text, z.strictObject({ name: text, spec: unknowns })),
})

/** What a pod is, whichever object makes it. */
const pod = {
  section: text,
  serviceAccount: text,
  /** Whether the account's token is mounted; it is unless this says no. */
  token: z.boolean().default(true),
  priority: text,
}

const job = {
  ...pod,
  /** Claim → mount path. */
  claims: stringMap,
  readOnlyClaims: names.default([]),
  /** ConfigMap → mount path. */
  configMaps: stringMap,
  env: stringMap,
  /** Whether it is told where the base models come from. */
  makesModels: z.boolean().default(false),
}

const rule = z.strictObject({ peers: names, ports: names })
const networkPolicy = z.strictObject({
  name: text,
  section: text,
  /** Label → values; none for every pod of the namespace. */
  pods: z.record(text, names),
  types: names,
  ingress: z.array(rule),
  egress: z.array(rule),
})

const contractSchema = z.strictObject({
  namespace: z.strictObject({ section: text, name: text, labels: stringMap }),
  commonLabels: z.strictObject({ section: text, labels: stringMap }),
  serviceAccounts: z.strictObject({ section: text, names }),
  roles: z.array(
    z.strictObject({
      name: text,
      section: text,
      binding: text,
      serviceAccount: text,
      /** `group/resource`, or the resource alone for the core group. */
      verbs: z.record(text, names),
    }),
  ),
  emptyClusterRole: z.strictObject({ section: text, name: text }),
  deployments: z.array(
    z.strictObject({
      ...pod,
      name: text,
      component: text,
      replicas: count,
      ports: z.array(count),
      /** The `--service` name; absent for programs that are not SLATE's own. */
      entrypoint: text.optional(),
      /** Of a program that is not SLATE's own. */
      image: text.optional(),
      healthPath: text,
      runsAs: z.enum(['user', 'root']),
      claims: names,
      /** Claim → mount path, where the specification states one. */
      claimPaths: stringMap.optional(),
      /** ConfigMaps that have to be mounted; others may be. */
      configMaps: names,
      /** Secret → the key of it that the environment holds. */
      secrets: stringMap.default({}),
      scrapePort: count.optional(),
      rollout: z.enum(['oneByOne', 'recreate']),
    }),
  ),
  podLabels: z.strictObject({ section: text, partOf: text }),
  entrypoint: z.strictObject({ section: text, service: names, job: names }),
  addresses: z.strictObject({ section: text, configMap: text, variables: names }),
  identity: z.strictObject({ section: text, fields: stringMap }),
  podDefaults: z.strictObject({ section: text, enableServiceLinks: z.boolean() }),
  rollouts: z.strictObject({ section: text, oneByOne: unknowns, recreate: unknowns }),
  probes: z.strictObject({ section: text, startup: numbers, liveness: numbers, readiness: numbers }),
  podSecurity: z.strictObject({ section: text, user: unknowns, root: unknowns }),
  containerSecurity: z.strictObject({ section: text, context: unknowns }),
  topologySpread: z.strictObject({ section: text, deployment: text, constraints: z.array(z.unknown()) }),
  scrape: z.strictObject({ section: text, path: text }),
  services: z.strictObject({
    section: text,
    type: text,
    rows: z.array(z.strictObject({ name: text, ports: z.array(count), selector: stringMap })),
  }),
  cronJobs: z.array(
    z.strictObject({
      ...job,
      name: text,
      schedule: text,
      activeDeadlineSeconds: count,
      /** The `--job` name, and the pods' component. */
      job: text,
    }),
  ),
  cronJobDefaults: z.strictObject({
    section: text,
    timeZone: text,
    concurrencyPolicy: text,
    suspend: z.boolean(),
    startingDeadlineSeconds: count,
    successfulJobsHistoryLimit: count,
    failedJobsHistoryLimit: count,
    backoffLimit: count,
    restartPolicy: text,
  }),
  preload: z.strictObject({
    ...job,
    name: text,
    component: text,
    ttlSecondsAfterFinished: count,
    backoffLimit: count,
    restartPolicy: text,
    initContainer: z.strictObject({ name: text, job: text }),
    container: z.strictObject({ name: text, job: text }),
    waitForOllama: z.strictObject({ path: text, seconds: count }),
  }),
  claims: z.strictObject({ section: text, accessModes: names, sizes: stringMap }),
  ingress: z.strictObject({
    section: text,
    name: text,
    className: text,
    host: text,
    pathType: text,
    /** Path → `service:port`. */
    routes: stringMap,
    annotations: stringMap,
  }),
  configMaps: z.array(
    z.strictObject({ name: text, section: text, keys: names, values: stringMap.optional() }),
  ),
  secrets: z.array(z.strictObject({ name: text, section: text, keys: names, placeholder: text })),
  autoscalers: z.array(
    z.strictObject({
      name: text,
      section: text,
      /** A Deployment. */
      target: text,
      min: count,
      max: count,
      /** Resource → average in percent of the requests. */
      utilization: numbers,
      behavior: unknowns.optional(),
    }),
  ),
  disruptionBudgets: z.array(
    z.strictObject({ name: text, section: text, minAvailable: count, selector: stringMap }),
  ),
  networkPolicies: z.array(networkPolicy),
  quota: z.strictObject({ section: text, name: text, hard: stringMap }),
  limitRange: z.strictObject({
    section: text,
    name: text,
    default: amounts,
    defaultRequest: amounts,
    max: amounts,
    min: amounts,
  }),
  priorityClasses: z.strictObject({
    section: text,
    globalDefault: z.boolean(),
    rows: z.array(z.strictObject({ name: text, value: count, description: text })),
  }),
  optional: z.strictObject({
    monitoring: z.strictObject({
      section: text,
      component: text,
      path: text,
      targets: z.array(z.strictObject({ monitor: text, service: text, port: count, label: text })),
      policy: networkPolicy,
    }),
    realModels: z.strictObject({
      section: text,
      component: text,
      baseModels: environment.shape.baseModels,
      policy: networkPolicy,
    }),
    devicePlugin: z.strictObject({
      section: text,
      render: text,
      daemonSet: text,
      namespace: text,
      image: text,
    }),
  }),
  environments: z.strictObject({
    base: environment,
    local: environment,
    dev: environment,
    staging: environment,
    prod: environment,
  }),
  options: z.strictObject({ gpu: environment.pick({ section: true, gpu: true, nodeSelector: true }) }),
})

/** The specification's facts as tables; every table names the section it was taken from. */
export type Contract = z.infer<typeof contractSchema>
export type EnvironmentName = keyof Contract['environments']
export type DeploymentRow = Contract['deployments'][number]
export type CronJobRow = Contract['cronJobs'][number]
export type NetworkPolicyRow = Contract['networkPolicies'][number]

/**
 * Reads `contract.yaml`. An environment comes back whole: the base's fields with its own over them.
 * @throws ZodError naming the row and field when the file does not have this form
 */
export function readContract(): Contract {
  const file = z
    .looseObject({ environments: z.looseObject({ base: unknowns }).catchall(unknowns) })
    .parse(parse(readFileSync(new URL('contract.yaml', import.meta.url), 'utf8')))
  const { base } = file.environments
  return contractSchema.parse({
    ...file,
    environments: Object.fromEntries(
      Object.entries(file.environments).map(([name, own]) => [name, { ...base, ...own }]),
    ),
  })
}

/** The contract of a cluster whose local overlay was put there with `gpu: on` (system.yaml). */
export function withGpus(contract: Contract): Contract {
  const { environments, options } = contract
  return { ...contract, environments: { ...environments, local: { ...environments.local, ...options.gpu } } }
}
