import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'

const text = z.string().min(1)
const names = z.array(text)
const stringMap = z.record(text, z.string())
const numbers = z.record(text, z.int().positive())
const securityContext = z.record(text, z.unknown())
const amounts = z.strictObject({ cpu: text, memory: text })
const environment = z.strictObject({
  section: text,
  /** Folder of the kustomization, relative to the repository. */
  render: text,
  image: text,
  imagePullPolicy: z.enum(['Never', 'IfNotPresent']),
  /** Deployment → GPUs in its limits; the others ask for none. */
  gpu: stringMap,
  nodeSelector: z.record(text, stringMap),
  resources: z.record(text, z.strictObject({ requests: amounts, limits: amounts })),
  mostRequested: amounts.optional(),
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
      name: text,
      section: text,
      component: text,
      replicas: z.int().positive(),
      ports: z.array(z.int()),
      serviceAccount: text,
      /** The `--service` name; absent for programs that are not SLATE's own. */
      entrypoint: text.optional(),
      healthPath: text,
      runsAs: z.enum(['user', 'root']),
      claims: names,
      /** Claim → mount path, where the specification states one. */
      claimPaths: stringMap.optional(),
      /** ConfigMaps that have to be mounted; others may be. */
      configMaps: names,
      scrapePort: z.int().optional(),
    }),
  ),
  podLabels: z.strictObject({ section: text, partOf: text }),
  entrypoint: z.strictObject({ section: text, command: names }),
  probes: z.strictObject({ section: text, startup: numbers, liveness: numbers, readiness: numbers }),
  podSecurity: z.strictObject({ section: text, user: securityContext, root: securityContext }),
  containerSecurity: z.strictObject({ section: text, context: securityContext }),
  topologySpread: z.strictObject({ section: text, deployment: text, constraints: z.array(z.unknown()) }),
  scrape: z.strictObject({ section: text, path: text }),
  services: z.strictObject({
    section: text,
    type: text,
    rows: z.array(z.strictObject({ name: text, ports: z.array(z.int()), selector: stringMap })),
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
  environments: z.strictObject({ base: environment, local: environment }),
  containerLimits: z.strictObject({ section: text, min: amounts, max: amounts }),
})

/** The specification's facts as tables; every table names the section it was taken from. */
export type Contract = z.infer<typeof contractSchema>
export type EnvironmentName = keyof Contract['environments']

/** Reads `contract.yaml`. @throws ZodError naming the row and field when it does not have this form */
export function readContract(): Contract {
  return contractSchema.parse(parse(readFileSync(new URL('contract.yaml', import.meta.url), 'utf8')))
}
