import type { KubeObject } from '../../bootstrap/kube/client.ts'

interface Statement {
  /** Which kind of fact: `replicas`, `startup probe`, `service selector`, … */
  fact: string
  /** Where it is stated. */
  section: string
  /** `Kind/name`, or `all` for what the objects have to hold together. */
  object: string
  expected: unknown
}

/** Something that one object has to hold; `see` reads it from the object. */
export interface ObjectFact extends Statement {
  see: (manifest: KubeObject) => unknown
}

/** Something that the objects have to hold together. */
export interface SetFact extends Statement {
  object: 'all'
  seeAll: (manifests: readonly KubeObject[]) => unknown
}

export type Fact = ObjectFact | SetFact

/** A fact that the rendered objects do not hold. */
export interface Violation extends Statement {
  seen: unknown
}
