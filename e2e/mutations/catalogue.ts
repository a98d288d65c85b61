import { accessMutations } from './access.ts'
import { networkEquivalents, serviceEquivalents, type Equivalent } from './equivalent.ts'
import { jobMutations } from './jobs.ts'
import { limitMutations } from './limits.ts'
import type { Mutation } from './mutation.ts'
import { networkMutations } from './network.ts'
import { scalingMutations } from './scaling.ts'
import { serviceMutations } from './services.ts'
import { storageAndConfigMutations } from './storage-and-config.ts'
import { workloadMutations } from './workloads.ts'
import { zonesEquivalents, zonesMutations } from './zones.ts'

/** Every change that the suite has to notice. */
export const mutations: readonly Mutation[] = [
  ...networkMutations,
  ...accessMutations,
  ...limitMutations,
  ...jobMutations,
  ...workloadMutations,
  ...serviceMutations,
  ...storageAndConfigMutations,
  ...scalingMutations,
  ...zonesMutations,
]

/** Changes to the manifests that change nothing anybody could see, and why. */
export const equivalent: readonly Equivalent[] = [
  ...networkEquivalents,
  ...serviceEquivalents,
  ...zonesEquivalents,
]
