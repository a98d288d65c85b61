import { inPlace } from './in-place.ts'
import type { Mutation } from './mutation.ts'

interface JobSpec {
  backoffLimit?: number
  activeDeadlineSeconds?: number
  ttlSecondsAfterFinished?: number
  template: {
    spec: { serviceAccountName?: string; initContainers?: unknown[]; containers: { command?: string[] }[] }
  }
}

interface CronJobSpec {
  schedule?: string
  timeZone?: string
  suspend?: boolean
  concurrencyPolicy?: string
  startingDeadlineSeconds?: number
  successfulJobsHistoryLimit?: number
  jobTemplate: { spec: JobSpec }
}

const cronJob = (change: (spec: CronJobSpec, job: JobSpec) => void) =>
  inPlace((object) => {
    const spec = object['spec'] as CronJobSpec
    change(spec, spec.jobTemplate.spec)
  })

const job = (change: (spec: JobSpec) => void) =>
  inPlace((object) => {
    change(object['spec'] as JobSpec)
  })

const live = (name: string): string => `slate-schedules: live CronJobs › ${name} is as the specification says`
const computed = (title: string): string => `slate-schedules: the shipped expression, computed › ${title}`
const preloadObject = 'slate-preload: the preload Job › is as the specification says'
const preloadFiles = 'slate-preload: the preload Job › gets the Modelfiles of the specification'
const liveModel = (name: string): string =>
  `slate-preload: a model on the live system › ${name} is what its Modelfile says`

/** Changes to SLATE's CronJobs and its preload Job; none loses data, and none restarts anything. */
export const jobMutations: readonly Mutation[] = [
  {
    name: 'nightly-health-at-noon',
    breaks: 'The nightly health check runs at noon.',
    object: 'CronJob/slate-nightly-health',
    change: cronJob((spec) => {
      spec.schedule = '0 12 * * *'
    }),
    caughtBy: computed('slate-nightly-health runs daily at midnight'),
    neighbours: [computed('slate-codebase-indexer runs daily at 2 am'), live('slate-codebase-indexer')],
  },
  {
    name: 'trainer-on-monday',
    breaks: 'The models are trained on Mondays.',
    object: 'CronJob/slate-model-trainer',
    change: cronJob((spec) => {
      spec.schedule = '0 3 * * 1'
    }),
    caughtBy: computed('slate-model-trainer runs weekly on Sunday at 3 am'),
    neighbours: [
      computed('slate-inference-benchmarks runs weekly on Sunday at 6 am'),
      live('slate-inference-benchmarks'),
    ],
  },
  {
    name: 'indexer-in-another-time-zone',
    breaks: 'The code base is indexed at 2 am in Tokyo.',
    object: 'CronJob/slate-codebase-indexer',
    change: cronJob((spec) => {
      spec.timeZone = 'Asia/Tokyo'
    }),
    caughtBy: computed('slate-codebase-indexer runs daily at 2 am'),
    neighbours: [computed('slate-nightly-health runs daily at midnight'), live('slate-nightly-health')],
  },
  {
    name: 'suspend-cleanup',
    breaks: 'The cleanup of tasks is suspended and never runs.',
    object: 'CronJob/slate-workflow-cleanup',
    change: cronJob((spec) => {
      spec.suspend = true
    }),
    caughtBy: live('slate-workflow-cleanup'),
    neighbours: [live('slate-instruction-sync'), computed('slate-workflow-cleanup runs every 4 hours')],
  },
  {
    name: 'allow-runs-to-overlap',
    breaks: 'A run of the benchmarks begins beside the one before it.',
    object: 'CronJob/slate-inference-benchmarks',
    change: cronJob((spec) => {
      spec.concurrencyPolicy = 'Allow'
    }),
    caughtBy: live('slate-inference-benchmarks'),
    neighbours: [
      live('slate-model-trainer'),
      computed('slate-inference-benchmarks runs weekly on Sunday at 6 am'),
    ],
  },
  {
    name: 'shorten-indexer-deadline',
    breaks: 'The indexer is ended after five minutes, not two hours.',
    object: 'CronJob/slate-codebase-indexer',
    change: cronJob((_, runs) => {
      runs.activeDeadlineSeconds = 300
    }),
    caughtBy: live('slate-codebase-indexer'),
    neighbours: [live('slate-nightly-health'), computed('slate-codebase-indexer runs daily at 2 am')],
  },
  {
    name: 'no-starting-deadline',
    breaks: 'A run that was missed long ago is made up for.',
    object: 'CronJob/slate-nightly-health',
    change: cronJob((spec) => {
      delete spec.startingDeadlineSeconds
    }),
    caughtBy: live('slate-nightly-health'),
    neighbours: [live('slate-workflow-cleanup'), computed('slate-nightly-health runs daily at midnight')],
  },
  {
    name: 'keep-one-successful-run',
    breaks: 'Of the successful runs of the trainer only one is kept.',
    object: 'CronJob/slate-model-trainer',
    change: cronJob((spec) => {
      spec.successfulJobsHistoryLimit = 1
    }),
    caughtBy: live('slate-model-trainer'),
    neighbours: [
      live('slate-inference-benchmarks'),
      computed('slate-model-trainer runs weekly on Sunday at 3 am'),
    ],
  },
  {
    name: 'no-retry-of-a-run',
    breaks: 'A run that fails is not tried again.',
    object: 'CronJob/slate-instruction-sync',
    change: cronJob((_, runs) => {
      runs.backoffLimit = 0
    }),
    caughtBy: 'slate-job-limits: limits of the runs › a run that fails is tried once more, and not again',
    neighbours: [live('slate-workflow-cleanup'), computed('slate-instruction-sync runs hourly')],
  },
  {
    name: 'drop-benchmarks',
    breaks: 'There are no benchmarks any more.',
    object: 'CronJob/slate-inference-benchmarks',
    change: () => undefined,
    caughtBy: 'slate-schedules: live CronJobs › are the six of the specification',
    neighbours: [live('slate-model-trainer'), live('slate-instruction-sync')],
  },
  {
    name: 'trainer-with-rights-of-the-core',
    breaks: 'The trainer has the rights of slate-core, which reads Secrets.',
    object: 'CronJob/slate-model-trainer',
    change: cronJob((_, runs) => {
      runs.template.spec.serviceAccountName = 'slate-core'
    }),
    caughtBy: live('slate-model-trainer'),
    neighbours: [
      live('slate-codebase-indexer'),
      computed('slate-model-trainer runs weekly on Sunday at 3 am'),
    ],
  },
  {
    name: 'cleanup-does-another-job',
    breaks: 'What runs every four hours is not the cleanup.',
    object: 'CronJob/slate-workflow-cleanup',
    change: cronJob((_, runs) => {
      runs.template.spec.containers[0]?.command?.splice(-1, 1, 'instruction-sync')
    }),
    caughtBy:
      'slate-schedules: a copy that runs every minute › slate-workflow-cleanup is started by its schedule',
    neighbours: [live('slate-instruction-sync'), computed('slate-workflow-cleanup runs every 4 hours')],
  },
  {
    name: 'preload-stays-for-two-hours',
    breaks: 'The preload Job is kept for two hours after its end.',
    object: 'Job/slate-model-preload',
    change: job((spec) => {
      spec.ttlSecondsAfterFinished = 7200
    }),
    caughtBy: preloadObject,
    neighbours: [preloadFiles, liveModel('slate-coder')],
  },
  {
    name: 'preload-without-retries',
    breaks: 'A preload Job that fails is not tried again.',
    object: 'Job/slate-model-preload',
    change: job((spec) => {
      spec.backoffLimit = 0
    }),
    caughtBy: preloadObject,
    neighbours: [preloadFiles, liveModel('slate-fast')],
  },
  {
    name: 'preload-does-not-wait',
    breaks: 'The preload Job does not wait until Ollama answers.',
    object: 'Job/slate-model-preload',
    change: job((spec) => {
      delete spec.template.spec.initContainers
    }),
    caughtBy:
      'slate-preload: a twin of the preload Job › waits until Ollama answers, makes the three models, and goes away when its time is over',
    neighbours: [preloadFiles, liveModel('slate-planner')],
  },
  {
    name: 'hotter-coder-model',
    breaks: 'The Modelfile of slate-coder has another temperature.',
    object: 'ConfigMap/slate-model-files',
    change: inPlace((object) => {
      const data = object['data'] as Record<string, string>
      data['Modelfile.slate-coder'] = (data['Modelfile.slate-coder'] ?? '').replace(
        'temperature 0.3',
        'temperature 1.3',
      )
    }),
    caughtBy: preloadFiles,
    neighbours: [preloadObject, liveModel('slate-coder')],
  },
]
