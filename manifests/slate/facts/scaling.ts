import type { Contract } from '../contract.ts'
import { at, listAt, textAt } from '../../checks/manifest.ts'
import type { Fact } from '../../checks/fact.ts'

/** Autoscalers and disruption budgets. */
export function scalingFacts({ autoscalers, disruptionBudgets }: Contract): Fact[] {
  return [
    ...autoscalers.flatMap((row): Fact[] => {
      const place = { section: row.section, object: `HorizontalPodAutoscaler/${row.name}` }
      return [
        {
          ...place,
          fact: 'autoscaler target',
          expected: { apiVersion: 'apps/v1', kind: 'Deployment', name: row.target },
          see: (manifest) => at(manifest, 'spec', 'scaleTargetRef'),
        },
        {
          ...place,
          fact: 'autoscaler limits',
          expected: { min: row.min, max: row.max },
          see: (manifest) => ({
            min: at(manifest, 'spec', 'minReplicas'),
            max: at(manifest, 'spec', 'maxReplicas'),
          }),
        },
        {
          ...place,
          fact: 'autoscaler metrics',
          expected: row.utilization,
          see: (manifest) => Object.fromEntries(listAt(manifest, 'spec', 'metrics').map(utilization)),
        },
        {
          ...place,
          fact: 'autoscaler behavior',
          expected: row.behavior,
          see: (manifest) => at(manifest, 'spec', 'behavior'),
        },
      ]
    }),
    ...disruptionBudgets.map((row): Fact => ({
      fact: 'disruption budget',
      section: row.section,
      object: `PodDisruptionBudget/${row.name}`,
      expected: { minAvailable: row.minAvailable, selector: { matchLabels: row.selector } },
      see: (manifest) => at(manifest, 'spec'),
    })),
  ]
}

/** Resource and percentage; a metric of another form keeps it, so that it equals no row of the contract. */
function utilization(metric: unknown): [string, unknown] {
  const plain =
    at(metric, 'type') === 'Resource' && at(metric, 'resource', 'target', 'type') === 'Utilization'
  return plain
    ? [textAt(metric, 'resource', 'name'), at(metric, 'resource', 'target', 'averageUtilization')]
    : [JSON.stringify(metric), undefined]
}
