import type { Addon } from '../addons/addon.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { loadNow } from './load-images.ts'
import { requireNodePrograms } from './node-programs.ts'
import { partStep } from './part.ts'
import type { Session } from './session.ts'
import type { Step } from './step.ts'

/** In every node; probes run in it. */
export const shellImage = 'docker.io/library/busybox:1.35.0'

export interface AddonStepOptions {
  addon: Addon
  needs: readonly string[]
  /** At most; the add-on's own deadline may be shorter. */
  timeoutMs: number
  ingressUrl: string
  /** Whether this add-on loads its images itself instead of waiting for all of them. */
  loadsOwnImages: boolean
}

/** One add-on: applied, ready, and proven by its probe. PROBE_FAILED, the probe's own code or PROBE_NOT_RUN unless it passes. */
export function addonStep(session: Session, options: AddonStepOptions): Step {
  const { addon } = options
  return partStep(session, {
    part: `addon.${addon.name}`,
    step: `addon:${addon.name}`,
    title: `${addon.title} ${addon.version}`,
    needs: options.needs,
    timeoutMs: Math.min(addon.timeoutMs, options.timeoutMs),
    objects: () => Promise.resolve(addon.objects),
    async before(run) {
      await requireNodePrograms(session, addon, run)
      if (options.loadsOwnImages) await loadNow(session, [...addon.images, shellImage], run)
      // What others left in an existing cluster is theirs; an add-on that it would hinder has been refused.
      if (!session.existing) await addon.prepare?.({ kube: await session.kube(), signal: run.signal })
    },
    async prove(run) {
      run.progress('ready; proving it')
      const kube = await session.kube()
      const { ingressUrl } = options
      const proof = await session.tools.probe(addon, {
        kube,
        ingressUrl,
        shellImage,
        ...(session.existing ? { labels: session.marks } : {}),
        signal: run.signal,
      })
      if (proof.result === 'pass') return proof.seen
      if (proof.result === 'fail') {
        throw new LocalCloudError(proof.code ?? 'PROBE_FAILED', {
          message: `${addon.title} runs but does not do what it is for (${addon.promise}): ${proof.seen}`,
        })
      }
      const [first = '', ...rest] = proof.reason.split('\n')
      throw new LocalCloudError('PROBE_NOT_RUN', {
        message: `${addon.title} could not be proven: ${first}`,
        evidence: rest,
      })
    },
  })
}
