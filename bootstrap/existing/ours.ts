import { clusterLabel, managedLabel } from '../engine/engine.ts'
import type { KubeObject, ObjectRef } from '../kube/client.ts'

/**
 * Labels of everything that is put on an existing cluster under a name: by them alone it is known as ours and removed. A cluster that
 * local-cloud made itself has the first one only, so that it can be treated as somebody else's.
 */
export const marksOf = (name: string): Record<string, string> => ({
  [managedLabel]: 'true',
  [clusterLabel]: name,
})

/** Label of every object that an end-to-end run makes, with the run's id as its value. */
export const runLabel = 'io.local-cloud.e2e-run'

/** Selects what carries `marksOf`. */
export const marksQuery = (name: string): string =>
  Object.entries(marksOf(name))
    .map(([label, value]) => `${label}=${value}`)
    .join(',')

/** Whether an object was put on an existing cluster under this name. */
export const isOurs = ({ metadata }: KubeObject, name: string): boolean =>
  Object.entries(marksOf(name)).every(([label, value]) => metadata.labels?.[label] === value)

/** Namespace that is ours whatever the system: it holds the record. Two names on one cluster have two. */
export const ownNamespace = (name: string): string => (name === 'local-cloud' ? name : `local-cloud-${name}`)

/** Where an existing cluster remembers what is on it under this name. */
export const ownRecordRef = (name: string): ObjectRef => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: ownNamespace(name),
  name: 'local-cloud-plan',
})
