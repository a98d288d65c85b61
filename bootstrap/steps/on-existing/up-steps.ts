import type { Addon } from '../../addons/addon.ts'
import { networkAddon } from '../../addons/choose-addons.ts'
import type { Capability } from '../../existing/capabilities.ts'
import { roomOf } from '../../existing/room.ts'
import { isOurs } from '../../existing/ours.ts'
import type { UpOptions } from '../../plan/options.ts'
import type { Plan } from '../../plan/plan.ts'
import { addonStep } from '../addon.ts'
import { fitCheck, fitStep } from '../fit.ts'
import { pruneStep } from '../prune.ts'
import { recordPlanStep } from '../record-plan.ts'
import type { Session } from '../session.ts'
import { chosenSystems, manifestsStep, renderAll, systemStep } from '../system.ts'
import type { UpGraph } from '../up-steps.ts'
import type { FoundAccess } from './access.ts'
import { attachStep } from './attach-step.ts'
import { capabilitiesSteps } from './capabilities.ts'
import { clusterImageSupplyStep } from './image-supply.ts'
import { ownershipStep } from './ownership.ts'

export interface ExistingGraph extends UpGraph {
  /** What the cluster was found to have. */
  capabilities(signal: AbortSignal): Promise<Capability[]>
}

export interface ExistingGraphOptions {
  options: UpOptions
  plan: Plan
  /** Those that are asked for. */
  addons: readonly Addon[]
  /** All that there are. */
  known: readonly Addon[]
  access: FoundAccess
  toolVersion: string
}

/**
 * The graph of `up` on an existing cluster. Everything is looked at before the first step that changes something: what the cluster has,
 * whether there is room, whose the namespaces and objects are, whether the images can be had. Nodes, images and ports are its owner's.
 */
export function existingUpSteps(session: Session, graph: ExistingGraphOptions): ExistingGraph {
  const { options, plan, addons, access, toolVersion } = graph
  const { timeoutMs } = options
  const systems = chosenSystems(session, options, plan)
  const choices = systems.map(({ choice }) => choice)
  const render = renderAll(systems)
  const room = async (signal: AbortSignal) => {
    const kube = await session.kube()
    const [nodes, pods, namespaces] = await Promise.all(
      ['Node', 'Pod', 'Namespace'].map((kind) => kube.list({ apiVersion: 'v1', kind }, signal)),
    )
    const own = (namespaces ?? []).filter((one) => isOurs(one, session.name))
    return roomOf(nodes ?? [], pods ?? [], new Set(own.map(({ metadata }) => metadata.name)))
  }
  const fits = fitCheck(session, { plan, addons, choices, render, machine: session.tools.machine(), room })
  const capabilities = capabilitiesSteps(session, {
    render,
    addons,
    policyProbe: graph.known.find(({ name }) => name === networkAddon),
    needs: ['manifests'],
    triedAfter: ['ownership', 'fit', 'image-supply'],
  })
  const addonSteps = addons.map((addon) =>
    addonStep(session, {
      addon,
      needs: [
        'cluster',
        ...addon.needs
          .filter((need) => addons.some(({ name }) => name === need))
          .map((need) => `addon:${need}`),
      ],
      timeoutMs,
      ingressUrl: plan.ingressUrl ?? '',
      loadsOwnImages: false,
    }),
  )
  const systemSteps = systems.map((system) =>
    systemStep(session, {
      ...system,
      alone: systems.length === 1,
      needs: ['cluster', 'prune', 'manifests'],
      timeoutMs,
    }),
  )
  const content = ['prune', ...addonSteps.map((step) => step.id), ...systemSteps.map((step) => step.id)]
  const addonObjects = addons.reduce((sum, addon) => sum + addon.objects.length, 0)
  return {
    systems,
    render,
    capabilities: (signal) => capabilities.current(signal),
    steps: [
      manifestsStep({ systems, render, addonObjects }),
      capabilities.judge,
      ownershipStep(session, { render, addons, needs: ['capabilities'] }),
      fitStep(fits, ['capabilities']),
      clusterImageSupplyStep(session, { systems, addons, needs: ['ownership', 'fit'] }),
      capabilities.policies,
      attachStep(session, { plan, toolVersion, access, capabilities, needs: ['policies'] }),
      pruneStep(session, plan, ['cluster'], timeoutMs),
      ...addonSteps,
      ...systemSteps,
      recordPlanStep(session, plan, toolVersion, ['cluster', ...content], (signal) => {
        // What the add-ons brought was not there when the cluster was looked at.
        if (addons.length > 0) capabilities.forget()
        return capabilities.toRecord(signal)
      }),
    ],
  }
}
