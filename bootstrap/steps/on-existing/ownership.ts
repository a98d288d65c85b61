import type { Addon } from '../../addons/addon.ts'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { foreignObjects } from '../../existing/foreign-objects.ts'
import { isOurs, marksOf, ownNamespace } from '../../existing/ours.ts'
import type { KubeObject } from '../../kube/client.ts'
import { absent } from '../../kube/conditions/absent.ts'
import type { Session } from '../session.ts'
import type { Step, StepRun } from '../step.ts'
import type { Render } from '../system.ts'

/** How long a namespace of an earlier removal may take to go, milliseconds. */
const goneMs = 120_000

/** The namespace that holds the record of what is on an existing cluster. */
export const ownNamespaceObject = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: ownNamespace(name), labels: marksOf(name) },
})

/**
 * Makes sure, before anything is put on the cluster, that nothing of it is there from somebody else: namespaces are taken as a whole or
 * not at all. Waits for namespaces of ours that are still being removed.
 * @throws LocalCloudError FOREIGN_OBJECTS with everything that is in the way, from `observe`
 */
export function ownershipStep(
  session: Session,
  { render, addons, needs }: { render: Render; addons: readonly Addon[]; needs: readonly string[] },
): Step {
  const { name } = session
  const ofAddons = addons.flatMap((addon) => addon.objects)
  const wanted = async (run: StepRun): Promise<KubeObject[]> => [
    ownNamespaceObject(name),
    ...ofAddons,
    ...(await render(run)),
  ]
  const going = async (run: StepRun): Promise<string[]> => {
    const namespaces = (await wanted(run)).filter(({ kind }) => kind === 'Namespace')
    const kube = await session.kube()
    const live = await Promise.all(
      namespaces.map(({ metadata }) =>
        kube.get({ apiVersion: 'v1', kind: 'Namespace', name: metadata.name }, run.signal),
      ),
    )
    return live.flatMap((one) =>
      one?.metadata.deletionTimestamp !== undefined && isOurs(one, name) ? [one.metadata.name] : [],
    )
  }
  const require = async (run: StepRun): Promise<string> => {
    const objects = await wanted(run)
    // What an add-on has outside of its own namespaces lies where its definition says: in kube-system.
    const guestIn = new Set(ofAddons.flatMap(({ metadata }) => metadata.namespace ?? []))
    const foreign = await foreignObjects(await session.listing(), { name, objects, guestIn }, run.signal)
    if (foreign.length > 0) throw refusal(session, foreign)
    return `${String(objects.length)} objects: none of them is there from somebody else`
  }
  return {
    id: 'ownership',
    title: 'Whose namespaces and objects',
    needs,
    timeoutMs: goneMs + 60_000,
    async observe(run) {
      const seen = await require(run)
      const leaving = await going(run)
      return leaving.length === 0
        ? { state: 'done', reason: seen }
        : { state: 'partial', reason: `still being removed: ${leaving.join(', ')}` }
    },
    async apply(run) {
      const kube = await session.kube()
      await Promise.all(
        (await going(run)).map((namespace) =>
          kube.waitFor({ apiVersion: 'v1', kind: 'Namespace', name: namespace }, absent, {
            timeoutMs: goneMs,
            signal: run.signal,
          }),
        ),
      )
      session.forgetLook()
    },
    verify: require,
  }
}

function refusal({ name, existing }: Session, foreign: readonly string[]): LocalCloudError {
  const labels = Object.entries(marksOf(name))
    .map(([label, value]) => `${label}=${value}`)
    .join(' ')
  const namespaces = foreign.flatMap((line) => /^Namespace (\S+) is there/.exec(line)?.[1] ?? [])
  return new LocalCloudError('FOREIGN_OBJECTS', {
    message: `${foreign[0] ?? ''}${foreign.length > 1 ? `, and ${String(foreign.length - 1)} more` : ''}; nothing was changed.`,
    evidence: [
      ...foreign,
      ...namespaces.map(
        (namespace) =>
          `To hand it over, with all that is in it: $ kubectl --context ${existing?.context ?? ''} label namespace ${namespace} ${labels}`,
      ),
    ],
  })
}
