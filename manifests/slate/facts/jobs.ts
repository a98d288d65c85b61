import type { KubeObject } from '../../../bootstrap/kube/client.ts'
import type { Contract, EnvironmentName } from '../contract.ts'
import { at, containersOf, listAt, mainContainerOf, pick, podSpecOf, textAt } from '../../checks/manifest.ts'
import type { Fact } from '../../checks/fact.ts'
import { claimMounts, configMapMounts } from './mounts.ts'
import { podFacts } from './pods.ts'

const baseModelsVariable = 'SLATE_BASE_MODELS'

/** What the CronJobs and the preload job have to hold. */
export function jobFacts(
  contract: Contract,
  environment: EnvironmentName,
  manifests: readonly KubeObject[],
): Fact[] {
  const { cronJobs, cronJobDefaults, preload, entrypoint } = contract
  const pod = { runsAs: 'user' as const }
  const command = (job: string) => [...entrypoint.job, job]
  return [
    ...cronJobs.flatMap((row): Fact[] => {
      const object = `CronJob/${row.name}`
      const containers = [{ name: row.name, command: command(row.job) }]
      return [
        ...podFacts(
          contract,
          environment,
          { ...pod, ...row, component: row.job, object, containers },
          manifests,
        ),
        ...mountFacts(contract, environment, row, object),
        {
          fact: 'schedule',
          section: row.section,
          object,
          expected: row.schedule,
          see: (manifest) => at(manifest, 'spec', 'schedule'),
        },
        {
          fact: 'deadline of a run',
          section: row.section,
          object,
          expected: row.activeDeadlineSeconds,
          see: (manifest) => at(manifest, 'spec', 'jobTemplate', 'spec', 'activeDeadlineSeconds'),
        },
        {
          fact: 'CronJob fields',
          section: cronJobDefaults.section,
          object,
          expected: pick(cronJobDefaults, scheduling),
          see: (manifest) => pick(at(manifest, 'spec'), scheduling),
        },
        {
          fact: 'retries of a run',
          section: cronJobDefaults.section,
          object,
          expected: pick(cronJobDefaults, ['backoffLimit', 'restartPolicy']),
          see: (manifest) => ({
            backoffLimit: at(manifest, 'spec', 'jobTemplate', 'spec', 'backoffLimit'),
            restartPolicy: at(podSpecOf(manifest), 'restartPolicy'),
          }),
        },
      ]
    }),
    ...podFacts(
      contract,
      environment,
      {
        ...pod,
        ...preload,
        object: `Job/${preload.name}`,
        containers: [preload.initContainer, preload.container].map(({ name, job }) => ({
          name,
          command: command(job),
        })),
      },
      manifests,
    ),
    ...mountFacts(contract, environment, preload, `Job/${preload.name}`),
    {
      fact: 'preload job',
      section: preload.section,
      object: `Job/${preload.name}`,
      expected: pick(preload, ['ttlSecondsAfterFinished', 'backoffLimit', 'restartPolicy']),
      see: (manifest) => ({
        ...pick(at(manifest, 'spec'), ['ttlSecondsAfterFinished', 'backoffLimit']),
        restartPolicy: at(podSpecOf(manifest), 'restartPolicy'),
      }),
    },
    {
      fact: 'container that waits',
      section: preload.section,
      object: `Job/${preload.name}`,
      expected: [preload.initContainer.name],
      see: (manifest) => listAt(podSpecOf(manifest), 'initContainers').map((one) => at(one, 'name')),
    },
  ]
}

const scheduling = [
  'timeZone',
  'concurrencyPolicy',
  'suspend',
  'startingDeadlineSeconds',
  'successfulJobsHistoryLimit',
  'failedJobsHistoryLimit',
]

function mountFacts(
  contract: Contract,
  environment: EnvironmentName,
  row: Contract['cronJobs'][number] | Contract['preload'],
  object: string,
): Fact[] {
  const { jobResources, baseModels, section } = contract.environments[environment]
  const { defaultRequest, default: most } = contract.limitRange
  const resources = jobResources ?? { requests: defaultRequest, limits: most }
  return [
    {
      fact: 'volumes of a job',
      section: `${row.section}, ADR 0020`,
      object,
      expected: {
        claims: Object.fromEntries(
          Object.entries(row.claims).map(([name, path]) => [
            name,
            { path, readOnly: row.readOnlyClaims.includes(name) },
          ]),
        ),
        configMaps: Object.fromEntries(
          Object.entries(row.configMaps).map(([name, path]) => [name, { path, readOnly: true }]),
        ),
      },
      see: (manifest) => ({
        claims: Object.fromEntries(claimMounts(manifest)),
        configMaps: Object.fromEntries(configMapMounts(manifest)),
      }),
    },
    {
      fact: 'environment of a job',
      section: 'ADR 0020',
      object,
      expected: row.env,
      see: (manifest) =>
        Object.fromEntries(
          Object.entries(literals(manifest)).filter(([name]) => name !== baseModelsVariable),
        ),
    },
    {
      fact: 'base models',
      section,
      object,
      expected: row.makesModels ? baseModels : undefined,
      see: (manifest) => literals(manifest)[baseModelsVariable],
    },
    {
      fact: 'resources of a job',
      section: 'ADR 0020',
      object,
      expected: [resources],
      see: (manifest) => distinct(containersOf(manifest).map((one) => at(one, 'resources'))),
    },
  ]
}

/** The variables of the main container that have a value of their own. */
function literals(manifest: KubeObject): Record<string, string> {
  return Object.fromEntries(
    listAt(mainContainerOf(manifest), 'env').flatMap((variable) =>
      at(variable, 'valueFrom') === undefined ? [[textAt(variable, 'name'), textAt(variable, 'value')]] : [],
    ),
  )
}

function distinct(values: readonly unknown[]): unknown[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()]
}
