import { randomBytes } from 'node:crypto'
import type { Probe, ProbeContext, ProbeResult } from '../../../bootstrap/addons/addon.ts'
import { eventually } from '../../../bootstrap/addons/probing/eventually.ts'
import { runInPod } from '../../../bootstrap/addons/probing/run-in-pod.ts'
import { shellPod, startShellPods } from '../../../bootstrap/addons/probing/shell-pods.ts'
import { LocalCloudError } from '../../../bootstrap/errors/local-cloud-error.ts'
import type { Condition, KubeObject, ObjectRef } from '../../../bootstrap/kube/client.ts'
import { absent } from '../../../bootstrap/kube/conditions/absent.ts'
import { pvcBound } from '../../../bootstrap/kube/conditions/pvc-bound.ts'

const file = '/data/bytes'
const waitingMs = 20_000
const bindMs = 120_000
const goneMs = 90_000

interface Claim {
  spec?: { storageClassName?: string; volumeName?: string }
  status?: { phase?: string }
}

/** A claim waits for its consumer, binds, keeps its bytes from one pod to the next, and takes its volume with it. */
export const probe: Probe = async (context) => {
  const { kube, namespace, signal } = context
  const ref = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name: 'claim', namespace }
  await kube.apply([claimObject(namespace)], { signal, dryRun: 'skip' })

  const waiting = context.theirs === true ? undefined : await waitsForConsumer(context, ref)
  if (waiting !== undefined) return fail(waiting)

  const pod = { volumes: [{ claim: 'claim', mountPath: '/data' }] }
  await kube.apply([shellPod(context, { name: 'writer', ...pod })], { signal, dryRun: 'skip' })
  const unbound = await missed(context, ref, pvcBound, bindMs)
  if (unbound !== undefined) return fail(`with a pod that uses it the claim did not bind: ${unbound}`)

  const token = randomBytes(16).toString('hex')
  const [writer] = await startShellPods(context, [{ name: 'writer', ...pod }])
  const written = await runInPod(kube, writer, 'printf %s "$1" > "$2" && sync', [token, file], signal)
  if (written.exitCode !== 0) return fail(`the volume cannot be written: ${written.stderr.trim()}`)
  await kube.delete(
    { apiVersion: 'v1', kind: 'Pod', name: 'writer', namespace },
    { signal, wait: true, gracePeriodSeconds: 0 },
  )

  const [reader] = await startShellPods(context, [{ name: 'reader', ...pod }])
  if (reader.uid === writer.uid) return { result: 'not-proven', reason: 'the reading pod is the writing pod' }
  const read = await runInPod(kube, reader, 'cat "$1"', [file], signal)
  if (read.stdout !== token)
    return fail(`another pod read ${JSON.stringify(read.stdout || read.stderr.trim())}, not what was written`)

  const claim = (await kube.get(ref, signal)) as (KubeObject & Claim) | undefined
  const volume = claim?.spec?.volumeName ?? ''
  await kube.delete(
    { apiVersion: 'v1', kind: 'Pod', name: 'reader', namespace },
    { signal, wait: true, gracePeriodSeconds: 0 },
  )
  const volumeRef = { apiVersion: 'v1', kind: 'PersistentVolume', name: volume }
  const policy = (await kube.get(volumeRef, signal))?.spec as
    { persistentVolumeReclaimPolicy?: string } | undefined
  await kube.delete(ref, { signal, wait: true })
  if (context.theirs === true && policy?.persistentVolumeReclaimPolicy !== 'Delete')
    return {
      result: 'pass',
      seen: `${volume} kept its bytes from one pod to the next; its class keeps it: kubectl delete persistentvolume ${volume}`,
    }
  const left = await missed(context, volumeRef, absent, goneMs)
  if (left !== undefined) return fail(`the claim is gone but volume ${volume} is left: ${left}`)

  return {
    result: 'pass',
    seen: `${volume} ${context.theirs === true ? '' : 'waited for its pod, '}kept its bytes from one pod to the next, and went with its claim`,
  }
}

/** Undefined when the claim, made without a class, got ours and is Pending because nobody uses it yet. */
async function waitsForConsumer(
  { kube, namespace, signal }: ProbeContext,
  ref: ObjectRef,
): Promise<string | undefined> {
  const outcome = await eventually(
    async () => {
      const claim = (await kube.get(ref, signal)) as (KubeObject & Claim) | undefined
      const phase = claim?.status?.phase ?? 'not there'
      const storageClass = claim?.spec?.storageClassName ?? 'none'
      const said = await kube.list(
        {
          apiVersion: 'v1',
          kind: 'Event',
          namespace,
          fieldSelector: `involvedObject.name=${ref.name},reason=WaitForFirstConsumer`,
        },
        signal,
      )
      const seen = `a claim without a class, unused: ${phase}, class ${storageClass}, ${said.length > 0 ? 'waits for a pod' : 'no word that it waits for a pod'}`
      return phase === 'Pending' && storageClass === 'local-path' && said.length > 0
        ? { met: true, value: seen }
        : { met: false, seen }
    },
    { timeoutMs: waitingMs, signal },
  )
  return outcome.met ? undefined : outcome.seen
}

/** Undefined when the condition came true in time, else what was last seen; other errors are the probe's own. */
async function missed(
  { kube, signal }: ProbeContext,
  ref: ObjectRef,
  condition: Condition,
  timeoutMs: number,
): Promise<string | undefined> {
  try {
    await kube.waitFor(ref, condition, { timeoutMs, signal })
    return undefined
  } catch (error) {
    if (error instanceof LocalCloudError && error.code === 'WAIT_TIMEOUT') return error.message
    throw error
  }
}

const fail = (seen: string): ProbeResult => ({ result: 'fail', seen })

function claimObject(namespace: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'claim', namespace, labels: { 'app.kubernetes.io/managed-by': 'local-cloud' } },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
  }
}
