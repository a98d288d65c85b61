import type { Addon } from '../addons/addon.ts'
import { networkAddon as network } from '../addons/choose-addons.ts'
import { imagesOf } from '../fit/images.ts'
import type { UpOptions } from '../plan/options.ts'
import type { Plan } from '../plan/plan.ts'
import { addonStep, shellImage } from './addon.ts'
import { clusterStep } from './cluster.ts'
import { engineStep } from './engine.ts'
import { existingStep } from './existing.ts'
import { fitCheck, fitStep } from './fit.ts'
import { gpuStep } from './gpu.ts'
import { gpuSupplyStep } from './gpu-supply.ts'
import { imageSupplyStep } from './image-supply.ts'
import { imagesStep } from './images.ts'
import { loadImagesStep } from './load-images.ts'
import { mergeKubeconfigStep } from './merge-kubeconfig.ts'
import { nodeProgramsStep } from './node-programs.ts'
import { portsStep } from './ports.ts'
import { providerToolsStep } from './provider-tools.ts'
import { pruneStep } from './prune.ts'
import { recordPlanStep } from './record-plan.ts'
import type { Session } from './session.ts'
import type { Step, StepRun } from './step.ts'
import {
  chosenSystems,
  manifestsStep,
  renderAll,
  systemStep,
  type ChosenSystem,
  type Render,
} from './system.ts'

export interface UpGraph {
  steps: Step[]
  /** The systems, each rendered at most once for the steps and the summary. */
  systems: readonly ChosenSystem[]
  /** The objects of all of them. */
  render: Render
}

/** Where the ingress of a cluster with these ports answers on this machine. */
export function ingressUrl({ listenAddress, httpPort }: Pick<Plan, 'listenAddress' | 'httpPort'>): string {
  const everywhere: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }
  const host =
    everywhere[listenAddress] ?? (listenAddress.includes(':') ? `[${listenAddress}]` : listenAddress)
  return `http://${host}:${String(httpPort)}`
}

/**
 * The graph of `up`. The network comes first and alone needs the cluster only; images are loaded beside it; every other
 * add-on waits for the network and for what it names; the system waits for the network and its images, so that its pods
 * start while the other add-ons are still being proven.
 */
export function upSteps(
  session: Session,
  options: UpOptions,
  plan: Plan,
  addons: readonly Addon[],
  toolVersion: string,
): UpGraph {
  const { timeoutMs } = options
  const systems = chosenSystems(session, options, plan)
  const choices = systems.map(({ choice }) => choice)
  const render = renderAll(systems)
  const wanted = async (run: StepRun): Promise<ReadonlySet<string>> =>
    new Set([...addons.flatMap((addon) => addon.images), shellImage, ...imagesOf(await render(run))])
  session.wantImages(wanted)
  const fits = fitCheck(session, { plan, addons, choices, render, machine: session.tools.machine() })
  const networkAddon = addons.find((addon) => addon.name === network)
  const afterNetwork = [...(networkAddon ? [`addon:${network}`] : []), 'load-images']
  const gpuSteps =
    plan.gpu === undefined ? [] : [gpuStep(session, { plan, gpu: plan.gpu, needs: ['cluster'], timeoutMs })]
  const gpuSupply = plan.gpu === undefined ? [] : [gpuSupplyStep(session, ['manifests', 'fit', 'ports'])]
  const programmed = addons.filter(({ nodePrograms = [] }) => nodePrograms.length > 0)
  const nodeSupply = [
    ...gpuSupply,
    ...(programmed.length === 0
      ? []
      : [nodeProgramsStep(session, programmed, ['manifests', 'fit', 'ports'])]),
  ]
  const afterGpus = gpuSteps.map((step) => step.id)
  const addonSteps = addons.map((addon) =>
    addonStep(session, {
      addon,
      needs: [
        'cluster',
        ...(addon.when === 'gpu' ? afterGpus : []),
        ...(addon === networkAddon ? [] : ['load-images']),
        ...addon.needs
          .filter((need) => need !== network || networkAddon !== undefined)
          .map((need) => `addon:${need}`),
      ],
      timeoutMs,
      ingressUrl: ingressUrl(plan),
      loadsOwnImages: addon === networkAddon,
    }),
  )
  const hasIngress = addons.some(({ objects }) => objects.some(({ kind }) => kind === 'IngressClass'))
  const systemSteps = systems.map((system) =>
    systemStep(session, {
      ...system,
      alone: systems.length === 1,
      needs: [...afterNetwork, 'prune', ...afterGpus, 'manifests'],
      timeoutMs,
      ...(hasIngress ? { ingressUrl: ingressUrl(plan) } : {}),
    }),
  )
  const content = [
    'prune',
    'load-images',
    ...afterGpus,
    ...addonSteps.map((step) => step.id),
    ...systemSteps.map((step) => step.id),
  ]
  const addonObjects = addons.reduce((sum, addon) => sum + addon.objects.length, 0)
  return {
    systems,
    render,
    steps: [
      manifestsStep({ systems, render, addonObjects }),
      fitStep(fits, ['manifests']),
      engineStep(session, plan, fits),
      existingStep(session, plan, options.recreate, ['engine']),
      portsStep(session, plan, ['existing']),
      imageSupplyStep(session, { choices, render, needs: ['manifests', 'fit', 'ports'] }),
      ...nodeSupply,
      imagesStep(session, ['image-supply', ...nodeSupply.map((step) => step.id)]),
      // A bundle brings the program along.
      providerToolsStep(
        session,
        options.provider,
        options.images.kind === 'bundle' ? ['images'] : ['manifests', 'fit', 'ports'],
      ),
      clusterStep(session, {
        plan,
        toolVersion,
        needs: ['images', 'provider-tools'],
        timeoutMs: Math.min(timeoutMs, 15 * 60_000),
      }),
      loadImagesStep(session, {
        early: networkAddon ? [...networkAddon.images, shellImage] : [],
        wanted,
        needs: ['cluster'],
      }),
      pruneStep(session, plan, ['cluster'], timeoutMs),
      ...gpuSteps,
      ...addonSteps,
      ...systemSteps,
      mergeKubeconfigStep(session, plan, ['cluster']),
      recordPlanStep(session, plan, toolVersion, [...content, 'merge-kubeconfig']),
    ],
  }
}
