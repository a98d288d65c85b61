import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import type { Fact, Violation } from './fact.ts'
import { idOf } from './manifest.ts'

/** The facts that the objects do not hold, with what was seen in their place. */
export function violationsOf(facts: readonly Fact[], manifests: readonly KubeObject[]): Violation[] {
  const byId = new Map(manifests.map((manifest) => [idOf(manifest), manifest]))
  const look = (fact: Fact): unknown => {
    if ('seeAll' in fact) return fact.seeAll(manifests)
    const manifest = byId.get(fact.object)
    return manifest === undefined ? 'no such object' : fact.see(manifest)
  }
  return facts.flatMap((fact): Violation[] => {
    const seen = look(fact)
    const { section, object, expected } = fact
    return isDeepStrictEqual(seen, expected) ? [] : [{ fact: fact.fact, section, object, expected, seen }]
  })
}
