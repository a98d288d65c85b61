import { inPlace } from './in-place.ts'
import type { Mutation } from './mutation.ts'

interface Rules {
  stabilizationWindowSeconds?: number
  policies: { type: string; value: number; periodSeconds: number }[]
}

interface Spec {
  minReplicas: number
  maxReplicas: number
  scaleTargetRef: { name: string }
  metrics: { resource: { name: string; target: { averageUtilization: number } } }[]
  behavior?: { scaleUp: Rules; scaleDown: Rules }
}

const dashboard = 'slate-dashboard-hpa'
const core = 'slate-core-hpa'
const chromadb = 'chromadb-hpa'

/** Titles of the suite, as references. */
const limits = (name: string): string => `slate-autoscaling: ${name} › has the stated minimum and maximum`
const targets = (name: string): string =>
  `slate-autoscaling: ${name} › has the stated targets for CPU and memory`
const aim = (name: string): string => `slate-autoscaling: ${name} › is for the stated Deployment`
const pace = (name: string): string =>
  `slate-autoscaling: ${name} › has the stated pace, or that of Kubernetes where none is stated`
const takesBack = (name: string): string =>
  `slate-autoscaling: at work › ${name} takes back what is above its maximum`
const fillsUp = (name: string): string =>
  `slate-autoscaling: at work › ${name} fills up what is below its minimum`
const inventory = 'slate-autoscaling: SLATE has the stated autoscalers and no other'

function changing(autoscaler: string, change: (spec: Spec) => void): Pick<Mutation, 'object' | 'change'> {
  return {
    object: `HorizontalPodAutoscaler/${autoscaler}`,
    change: inPlace((object) => {
      change(object['spec'] as Spec)
    }),
  }
}

/** Changes one part of the behavior, which is there for the dashboard only. */
const behaving = (part: 'scaleUp' | 'scaleDown', change: (rules: Rules) => void) =>
  changing(dashboard, ({ behavior }) => {
    if (behavior) change(behavior[part])
  })

const target = (autoscaler: string, resource: string, percent: number) =>
  changing(autoscaler, ({ metrics }) => {
    for (const { resource: one } of metrics)
      if (one.name === resource) one.target.averageUtilization = percent
  })

/** Changes to the autoscalers; the suite slate-autoscaling notices each. */
export const scalingMutations: readonly Mutation[] = [
  {
    name: 'lower-dashboard-maximum',
    breaks: 'The dashboard stops at five pods under whatever load.',
    ...changing(dashboard, (spec) => {
      spec.maxReplicas = 5
    }),
    caughtBy: takesBack(dashboard),
    neighbours: [targets(dashboard), pace(dashboard)],
  },
  {
    name: 'raise-dashboard-maximum',
    breaks: 'The dashboard grows beyond six pods.',
    ...changing(dashboard, (spec) => {
      spec.maxReplicas = 8
    }),
    caughtBy: limits(dashboard),
    neighbours: [aim(dashboard), limits(core)],
  },
  // Not raised: the pods of a higher minimum would stay for the five minutes of the window, long after the change is taken back.
  {
    name: 'lower-core-minimum',
    breaks: 'slate-core rests at one pod.',
    ...changing(core, (spec) => {
      spec.minReplicas = 1
    }),
    caughtBy: fillsUp(core),
    neighbours: [targets(core), takesBack(core)],
  },
  {
    name: 'lower-core-maximum',
    breaks: 'slate-core stops at four pods.',
    ...changing(core, (spec) => {
      spec.maxReplicas = 4
    }),
    caughtBy: takesBack(core),
    neighbours: [fillsUp(core), pace(core)],
  },
  {
    name: 'raise-chromadb-maximum',
    breaks: 'ChromaDB grows to four pods on one store.',
    ...changing(chromadb, (spec) => {
      spec.maxReplicas = 4
    }),
    caughtBy: takesBack(chromadb),
    neighbours: [targets(chromadb), limits(dashboard)],
  },
  {
    name: 'aim-core-autoscaler-at-nothing',
    breaks: 'slate-core is not scaled at all.',
    ...changing(core, (spec) => {
      spec.scaleTargetRef.name = 'slate-core-v2'
    }),
    caughtBy: aim(core),
    neighbours: [limits(core), aim(dashboard)],
  },
  {
    name: 'raise-dashboard-cpu-target',
    breaks: 'The dashboard gets more pods only at 90 % of its CPU.',
    ...target(dashboard, 'cpu', 90),
    caughtBy: targets(dashboard),
    neighbours: [limits(dashboard), takesBack(dashboard)],
  },
  {
    name: 'lower-chromadb-cpu-target',
    breaks: 'ChromaDB gets more pods at 70 % of its CPU already.',
    ...target(chromadb, 'cpu', 70),
    caughtBy: targets(chromadb),
    neighbours: [limits(chromadb), targets(core)],
  },
  {
    name: 'drop-core-memory-metric',
    breaks: 'slate-core is not scaled by memory.',
    ...changing(core, (spec) => {
      spec.metrics = spec.metrics.filter(({ resource }) => resource.name !== 'memory')
    }),
    caughtBy: targets(core),
    neighbours: [limits(core), targets(dashboard)],
  },
  {
    name: 'drop-dashboard-behavior',
    breaks: 'The dashboard doubles within 15 seconds.',
    ...changing(dashboard, (spec) => {
      delete spec.behavior
    }),
    caughtBy: pace(dashboard),
    neighbours: [limits(dashboard), targets(dashboard)],
  },
  {
    name: 'scale-dashboard-up-by-four',
    breaks: 'The dashboard gets four pods a minute instead of two.',
    ...behaving('scaleUp', ({ policies }) => {
      for (const policy of policies) policy.value = 4
    }),
    caughtBy: pace(dashboard),
    neighbours: [limits(dashboard), pace(core)],
  },
  {
    name: 'shorten-dashboard-scale-down-window',
    breaks: 'The dashboard shrinks after one minute of quiet instead of five.',
    ...behaving('scaleDown', (rules) => {
      rules.stabilizationWindowSeconds = 60
    }),
    caughtBy: pace(dashboard),
    neighbours: [aim(dashboard), pace(chromadb)],
  },
  {
    name: 'shorten-dashboard-scale-down-period',
    breaks: 'The dashboard loses a pod every 30 seconds instead of every 120.',
    ...behaving('scaleDown', ({ policies }) => {
      for (const policy of policies) policy.periodSeconds = 30
    }),
    caughtBy: pace(dashboard),
    neighbours: [targets(dashboard), pace(core)],
  },
  {
    name: 'hasten-core-scale-down',
    breaks: 'slate-core shrinks at once when the load ends.',
    ...changing(core, (spec) => {
      const kept = { policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] }
      spec.behavior = {
        scaleUp: { stabilizationWindowSeconds: 0, ...kept },
        scaleDown: { stabilizationWindowSeconds: 0, ...kept },
      }
    }),
    caughtBy: pace(core),
    neighbours: [limits(core), pace(dashboard)],
  },
  {
    name: 'delete-chromadb-autoscaler',
    breaks: 'ChromaDB is not scaled at all.',
    object: `HorizontalPodAutoscaler/${chromadb}`,
    change: () => undefined,
    caughtBy: inventory,
    neighbours: [limits(dashboard), limits(core)],
  },
]
