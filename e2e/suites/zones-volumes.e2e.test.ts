import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { podReady } from '../../bootstrap/kube/conditions/pod-ready.ts'
import { factsOf } from '../../manifests/zones/check-contract.ts'
import { readContract } from '../../manifests/zones/contract.ts'
import { violationsOf } from '../../manifests/checks/violations.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { probeImage } from '../harness/probe-pod.ts'
import { recordOf } from '../harness/record.ts'
import { runLabel } from '../harness/run-id.ts'
import { evaluateIn } from '../harness/slate-pods.ts'
import { CheckBroke } from '../harness/verdict.ts'
import { readyPodOfWorkload, requireZones, zoneA, zonesOverlay } from '../harness/zones.ts'

/*
 * The volumes of models and prompts (L94-148): sizes, access modes and binding as stated, the same bytes for several pods at once, and no
 * writing through a mount that is read-only. Root without any hindrance but the mount tries it, so that it is the mount that refuses; its
 * twin with a mount that is not read-only shows that the folder itself would let it.
 */
const contract = readContract()
const model = '/models/deepseek-v32/model.gguf'

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireZones(cluster)
})

describe('the claims', () => {
  const facts = [
    'capacity',
    'asked for',
    'access modes',
    'reclaim policy',
    'folder',
    'bound to',
    'storage class',
  ]

  it.for(facts)('have the %s of the contract', async (name, { signal }) => {
    const [volumes, claims] = await Promise.all([
      cluster.kube.list({ apiVersion: 'v1', kind: 'PersistentVolume' }, signal),
      cluster.kube.list({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: zoneA }, signal),
    ])
    const wanted = factsOf(contract, zonesOverlay(cluster)).filter(({ fact }) => fact === name)
    expect(wanted.length).toBeGreaterThan(0)
    expect(violationsOf(wanted, [...volumes, ...claims])).toEqual([])
  })

  it('are bound, each to the volume that it names', async ({ signal }) => {
    const claims = await cluster.kube.list(
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: zoneA },
      signal,
    )
    const seen = claims.map((claim) => {
      const { phase, capacity } = claim['status'] as { phase: string; capacity: { storage: string } }
      const { volumeName } = claim['spec'] as { volumeName: string }
      return [claim.metadata.name, phase, volumeName, capacity.storage]
    })
    expect(seen.sort()).toEqual([
      ['models-pvc', 'Bound', 'models-pv', '500Gi'],
      ['prompts-pvc', 'Bound', 'prompts-pv', '1Gi'],
    ])
  })
})

interface Reader extends AsyncDisposable {
  sh: (script: string, signal: AbortSignal) => Promise<{ exitCode: number; output: string }>
}

/** A root pod of the namespace with the models mounted, read-only or not, and a folder of its own. */
async function startReader(readOnly: boolean, signal: AbortSignal): Promise<Reader> {
  const { kube, runId } = cluster
  const name = `reader-${randomBytes(3).toString('hex')}`
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: zoneA, labels: { [runLabel]: runId } },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'reader',
          image: probeImage,
          imagePullPolicy: 'IfNotPresent',
          command: ['sleep', '3600'],
          resources: { requests: { cpu: '5m', memory: '16Mi' }, limits: { cpu: '200m', memory: '64Mi' } },
          securityContext: { runAsUser: 0 },
          volumeMounts: [
            { name: 'models', mountPath: '/models', readOnly },
            { name: 'own', mountPath: '/own' },
          ],
        },
      ],
      volumes: [
        { name: 'models', persistentVolumeClaim: { claimName: 'models-pvc' } },
        { name: 'own', emptyDir: {} },
      ],
    },
  }
  await kube.apply([pod], { signal, dryRun: 'skip' })
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace: zoneA, name }
  const remove = () =>
    kube.delete(ref, { signal: AbortSignal.timeout(30_000), wait: true, gracePeriodSeconds: 0 })
  try {
    await kube.waitFor(ref, podReady, { timeoutMs: 60_000, signal })
  } catch (error) {
    await remove()
    throw error
  }
  return {
    async sh(script, stop) {
      const { exitCode, stdout, stderr } = await kube.exec({ namespace: zoneA, name }, ['sh', '-c', script], {
        signal: stop,
      })
      return { exitCode, output: `${stdout}${stderr}`.trim() }
    },
    [Symbol.asyncDispose]: remove,
  }
}

describe('the models', () => {
  it('are the same bytes in several pods at once, those that the brain loaded', async ({ task, signal }) => {
    await using first = await startReader(true, signal)
    await using second = await startReader(true, signal)
    const sums = await Promise.all(
      [first, second].map(
        async (reader) => (await reader.sh(`sha256sum ${model}`, signal)).output.split(' ')[0],
      ),
    )
    const { name } = await readyPodOfWorkload(cluster, { namespace: zoneA, name: 'deepseek-v32' }, signal)
    const page = await evaluateIn<string>(
      cluster,
      { namespace: zoneA, name },
      `(await fetch('http://127.0.0.1:8000/')).text()`,
      {},
      signal,
    )
    const loaded = /sha256:([0-9a-f]{64})/.exec(page)?.[1]
    if (loaded === undefined) throw new CheckBroke('The page of the brain names no digest.')
    expect(sums).toEqual([loaded, loaded])
    recordOf(task.meta).facts.push({ name: 'digest in three pods', value: loaded })
  })

  it('cannot be written through a mount that is read-only, by root neither; through another they could', async ({
    task,
    signal,
  }) => {
    await using reader = await startReader(true, signal)
    await using writer = await startReader(false, signal)
    const file = `e2e-${cluster.runId}`
    const write = `touch /models/${file} && echo written; rm -f /models/${file}`
    const open = async (): Promise<string> => {
      const { output } = await writer.sh(write, signal)
      if (output !== 'written') throw new CheckBroke(`The twin that may write could not: ${output}`)
      return output
    }
    const before = await open()
    const own = await reader.sh('touch /own/file && echo written', signal)
    const refused = await reader.sh(`touch /models/${file}`, signal)
    const changed = await reader.sh(`echo x >> ${model}`, signal)
    const after = await open()
    recordOf(task.meta).controls.push({
      negative: { title: 'root does not write through the read-only mount', seen: refused.output },
      before: { title: 'its twin writes through a mount that is not read-only', seen: before },
      beside: { title: 'it writes to a folder of its own', seen: own.output },
      after: { title: 'its twin writes through a mount that is not read-only', seen: after },
    })
    expect(own.output).toBe('written')
    expect(refused.output).toContain('Read-only file system')
    expect(changed.output).toContain('Read-only file system')
  })

  it.for(['/models', '/prompts'])(
    'the model server itself cannot write to %s',
    async (folder, { task, signal }) => {
      const { name } = await readyPodOfWorkload(cluster, { namespace: zoneA, name: 'deepseek-v32' }, signal)
      const tries = await evaluateIn<{ read: number; write: string; mount: string }>(
        cluster,
        { namespace: zoneA, name },
        `(() => {
        const fs = require('node:fs')
        const read = fs.readdirSync(input.folder).length
        const mount = fs.readFileSync('/proc/mounts', 'utf8').split('\\n').find((line) => line.split(' ')[1] === input.folder) ?? ''
        try { fs.writeFileSync(input.folder + '/e2e', 'x'); return { read, mount, write: 'written' } }
        catch (error) { return { read, mount, write: error.code } }
      })()`,
        { folder },
        signal,
      )
      recordOf(task.meta).facts.push({ name: folder, value: tries.mount })
      expect(tries.read).toBeGreaterThan(0)
      expect(tries.write).toBe('EROFS')
      expect(tries.mount.split(' ')[3]?.split(',')).toContain('ro')
    },
  )
})
