import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { kubectl } from '../../bootstrap/tools/kubectl.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { assertNegative } from '../harness/controls.ts'
import { eventually } from '../harness/eventually.ts'
import type { Look } from '../harness/look.ts'
import { createNamespace, type TestNamespace } from '../harness/namespace.ts'
import { probeImage, probePodManifest, probePort, startProbePod } from '../harness/probe-pod.ts'
import { recordOf } from '../harness/record.ts'
import { requireSlate } from '../harness/slate.ts'
import { CheckBroke } from '../harness/verdict.ts'

/*
 * docs/troubleshooting.md: every case is made to happen, looks as the page says, and its remedy, which is the page's own command, helps. Where the
 * page says `slate`, the namespace of this suite is meant.
 */
const choice = choiceFromEnvironment()
const page = readFileSync(path.join(choice.paths.repo, 'docs', 'troubleshooting.md'), 'utf8')
const commands = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
  block.split('\n'),
)
const slate = readContract().namespace.name
const settle = { timeoutMs: 120_000, intervalMs: 500 }

let cluster: Cluster
let space: TestNamespace
const stack = new AsyncDisposableStack()
beforeAll(async () => {
  const signal = AbortSignal.timeout(60_000)
  cluster = await attach(choice, signal)
  const { kube, runId } = cluster
  space = stack.use(await createNamespace({ kube, runId, purpose: 'troubles', signal }))
})
afterAll(() => stack.disposeAsync())

/** Each case has a name of its own, so that none sees what another left behind. */
let name = ''
let count = 0
beforeEach(() => {
  count += 1
  name = `case-${String(count)}`
})

interface Substitutions {
  namespace?: string
  pod?: string
}

/** Runs a command that stands on the page, on this suite's objects, and returns what it printed. */
async function run(
  command: string,
  { namespace = space.name, pod = '' }: Substitutions = {},
): Promise<string> {
  if (!commands.includes(command)) throw new CheckBroke(`The page does not have the command: ${command}`)
  const [program, ...argv] = (command.match(/'[^']*'|[^\s']+(?:'[^']*')?/g) ?? []).map((word) =>
    word
      .replaceAll("'", '')
      .replace(/^slate$/, namespace)
      .replaceAll('NAME', name)
      .replaceAll('POD', pod),
  )
  if (program !== 'kubectl') throw new CheckBroke(`Only kubectl is run from here: ${command}`)
  const { kubeconfigFile, context } = cluster
  const { stdout } = await kubectl(['--context', context, ...argv], {
    kubeconfigFile,
    signal: AbortSignal.timeout(90_000),
  })
  return stdout
}

/** A look at what a command of the page prints. One that fails, as for a pod that is not there yet, shows nothing and says why. */
const printed =
  (command: string, judge: (output: string) => Look, substitutions: Substitutions = {}) =>
  async (): Promise<Look> => {
    try {
      return judge(await run(command, substitutions))
    } catch (error) {
      if (!(error instanceof LocalCloudError) || error.code !== 'COMMAND_FAILED') throw error
      return { ok: false, seen: [error.message, ...error.evidence].join('; ').slice(-300) }
    }
  }

type Container = Record<string, unknown> & { resources: { requests: object; limits: object } }

/** A Deployment of one small web server that is replaced, not rolled, with its container changed. */
function deployment(change: (container: Container) => void = () => undefined, of = name): KubeObject {
  const { runId } = cluster
  const pod = probePodManifest({ namespace: space.name, runId, name: of })
  const spec = structuredClone(pod['spec']) as { containers: [Container] }
  change(spec.containers[0])
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: of, namespace: space.name },
    spec: {
      replicas: 1,
      strategy: { type: 'Recreate' },
      selector: { matchLabels: { app: of } },
      template: { metadata: { labels: { app: of } }, spec },
    },
  }
}
const apply = async (...objects: KubeObject[]): Promise<void> => {
  await cluster.kube.apply(objects, { signal: AbortSignal.timeout(30_000), dryRun: 'skip' })
}
const pods = (signal: AbortSignal): Promise<KubeObject[]> =>
  cluster.kube.list(
    { apiVersion: 'v1', kind: 'Pod', namespace: space.name, labelSelector: `app=${name}` },
    signal,
  )
const available = (of = name): Promise<string> =>
  eventually(
    `Deployment ${of} is available`,
    async (signal) => {
      const object = await cluster.kube.get(
        { apiVersion: 'apps/v1', kind: 'Deployment', namespace: space.name, name: of },
        signal,
      )
      const { status = {}, metadata } = (object ?? { metadata: {} }) as KubeObject & {
        status?: {
          availableReplicas?: number
          observedGeneration?: number
          replicas?: number
          updatedReplicas?: number
        }
      }
      const seen = `${String(status.availableReplicas ?? 0)} of ${String(status.replicas ?? 0)} available`
      return {
        ok:
          status.availableReplicas === 1 &&
          status.replicas === 1 &&
          status.updatedReplicas === 1 &&
          status.observedGeneration === metadata.generation,
        seen,
      }
    },
    settle,
  )

/** Waits until `kubectl get pods` shows one of these words in the column STATUS; returns the pod's name. */
async function showsStatus(words: readonly string[], task: { meta: object }): Promise<string> {
  let pod = ''
  const seen = await eventually(
    `kubectl get pods shows ${words.join(' or ')}`,
    printed('kubectl get pods -n slate', (output) => {
      const rows = output.split('\n').map((row) => row.split(/\s+/))
      const [own] = rows.filter(([first = '']) => first.startsWith(`${name}-`))
      pod = own?.[0] ?? ''
      return { ok: words.includes(own?.[2] ?? ''), seen: own?.join(' ') ?? 'no pod' }
    }),
    settle,
  )
  recordOf(task.meta).facts.push({ name: 'kubectl get pods', value: seen })
  return pod
}
/** Waits until what a command of the page prints has these words. */
const tells = (command: string, words: RegExp, substitutions: Substitutions = {}): Promise<string> =>
  eventually(
    `${command} tells ${String(words)}`,
    printed(
      command,
      (output) => {
        const line = output.split('\n').find((one) => words.test(one))
        return { ok: line !== undefined, seen: line?.trim() ?? output.trim().slice(-300) }
      },
      substitutions,
    ),
    settle,
  )

describe('pods not starting', () => {
  it('Pending: requests more than a node has; less helps', async ({ task }) => {
    await apply(
      deployment((container) => {
        Object.assign(container.resources.requests, { cpu: '1000' })
        Object.assign(container.resources.limits, { cpu: '1000' })
      }),
    )
    const pod = await showsStatus(['Pending'], task)
    await tells('kubectl describe pod -n slate POD', /FailedScheduling.*Insufficient cpu/, { pod })
    await tells(
      "kubectl get deployment -n slate NAME -o jsonpath='{.spec.template.spec.containers[*].resources}'",
      /"cpu":"1k"|"cpu":"1000"/,
    )
    await run('kubectl set resources deployment/NAME -n slate --requests=cpu=50m,memory=64Mi')
    await available()
  })

  it('CrashLoopBackOff: its last words are in the previous log; taking the change back helps', async ({
    task,
  }) => {
    await apply(deployment())
    await available()
    await apply(
      deployment((container) => {
        container['command'] = ['/bin/sh', '-c', 'echo cannot open /etc/settings; exit 1']
      }),
    )
    await showsStatus(['CrashLoopBackOff'], task)
    await tells('kubectl logs -n slate deploy/NAME --previous', /cannot open \/etc\/settings/)
    await run('kubectl rollout undo deployment/NAME -n slate')
    await available()
  })
})

describe('ImagePullBackOff', () => {
  it.each([
    [
      'is nowhere',
      'registry.invalid/none:1',
      'IfNotPresent',
      ['ErrImagePull', 'ImagePullBackOff'],
      /Failed to pull image/,
    ],
    [
      'must not be pulled',
      'docker.io/library/none:1',
      'Never',
      ['ErrImageNeverPull'],
      /pull policy of Never/,
    ],
  ] as const)('an image that %s; one that is in the node helps', async (_, image, policy, words, event) => {
    await apply(
      deployment((container) => {
        Object.assign(container, { image, imagePullPolicy: policy })
      }),
    )
    const pod = await showsStatus(words, { meta: {} })
    await tells('kubectl describe pod -n slate POD', event, { pod })
    const there = await run("kubectl get nodes -o jsonpath='{.items[*].status.images[*].names}'")
    expect(there).toContain(probeImage)
    expect(there).not.toContain(image)
    await run("kubectl set image deployment/NAME -n slate '*=docker.io/library/busybox:1.35.0'")
    await available()
  })
})

describe('PVC pending', () => {
  const claim = (spec: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: space.name },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '16Mi' } }, ...spec },
  })
  const phase = (wanted: string): Promise<string> =>
    eventually(
      `claim ${name} is ${wanted}`,
      printed('kubectl get pvc -n slate', (output) => {
        const rows = output.split('\n').map((row) => row.split(/\s+/))
        const own = rows.find(([first]) => first === name)
        return { ok: own?.[1] === wanted, seen: own?.join(' ') ?? 'no claim' }
      }),
      settle,
    )
  const usedByPod = async (signal: AbortSignal): Promise<AsyncDisposable> => {
    const { kube, runId } = cluster
    const pod = `${name}-user`
    return startProbePod({
      kube,
      runId,
      namespace: space.name,
      name: pod,
      claims: { [name]: '/data' },
      signal,
    })
  }

  it('waits for its first pod, and is bound with it', async ({ signal }) => {
    await apply(claim({}))
    await phase('Pending')
    await tells('kubectl describe pvc -n slate NAME', /WaitForFirstConsumer/)
    await using _pod = await usedByPod(signal)
    await phase('Bound')
  })

  it('names a class that is not there; made anew with one that is, it is bound', async ({ signal }) => {
    await apply(claim({ storageClassName: `none-${cluster.runId}` }))
    await phase('Pending')
    await tells('kubectl describe pvc -n slate NAME', /ProvisioningFailed.*not found/)
    await run('kubectl delete pvc -n slate NAME')
    await apply(claim({}))
    await using _pod = await usedByPod(signal)
    await phase('Bound')
  })

  it('names a volume that an earlier claim had; made anew, the volume is bound', async () => {
    // One name for claim and volume, unique in the cluster.
    name = `${name}-${cluster.runId}`
    const volume: KubeObject = {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: {
        capacity: { storage: '16Mi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: '',
        hostPath: { path: `/var/lib/${name}`, type: 'DirectoryOrCreate' },
      },
    }
    const ref = { apiVersion: 'v1', kind: 'PersistentVolume', name }
    const named = claim({ storageClassName: '', volumeName: name })
    await using cleanUp = new AsyncDisposableStack()
    cleanUp.defer(async () => {
      const signal = AbortSignal.timeout(60_000)
      await cluster.kube.delete(
        { ...ref, kind: 'PersistentVolumeClaim', namespace: space.name },
        { signal, wait: true },
      )
      await cluster.kube.delete(ref, { signal, wait: true })
    })
    await apply(volume, named)
    await phase('Bound')
    await run('kubectl delete pvc -n slate NAME')
    await apply(named)
    await phase('Pending')
    await tells('kubectl get pv', new RegExp(`^${name} .*Released`))
    await tells('kubectl describe pvc -n slate NAME', /FailedBinding.*bound to a different claim/)
    await run('kubectl delete pv NAME')
    await apply(volume)
    await phase('Bound')
  })
})

describe('Service not reachable', () => {
  it('a selector that matches no pod: no endpoint, no connection; the right selector helps', async ({
    task,
    signal,
  }) => {
    const { kube, runId } = cluster
    name = 'web'
    const service = (app: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: space.name },
      spec: { selector: { app }, ports: [{ port: 80, targetPort: probePort }] },
    })
    await apply(deployment(), service('web'))
    await available()
    await using client = await startProbePod({ kube, runId, namespace: space.name, name: 'client', signal })
    const connect = (stop: AbortSignal) =>
      client.connect(`web.${space.name}.svc.cluster.local`, 80, { timeoutSeconds: 2, signal: stop })
    const noEvidence: readonly string[] = ['could-not-run', 'dns-failure']
    await assertNegative(recordOf(task.meta), {
      control: {
        title: 'a pod connects to the Service',
        run: async (stop) => {
          const { kind, detail } = await connect(stop)
          return { ok: kind === 'connected', seen: detail }
        },
      },
      negative: {
        title: 'a pod does not get through, and no endpoint is shown',
        run: async (stop) => {
          const { kind, detail } = await connect(stop)
          if (noEvidence.includes(kind)) return { ok: false, seen: `${kind}: ${detail}` }
          const rows = (await run('kubectl get endpointslices -n slate')).split('\n')
          const row = rows.find((one) => one.startsWith('web-')) ?? ''
          return { ok: kind !== 'connected' && !/\d+\.\d+\.\d+\.\d+/.test(row), seen: `${kind}; ${row}` }
        },
      },
      cause: {
        title: 'a selector with a slip',
        apply: () => apply(service('wbe')),
        remove: async () => {
          await run(`kubectl patch service -n slate NAME -p '{"spec":{"selector":{"app":"web"}}}'`)
        },
      },
      settle: { ...settle, signal },
      hold: { timeoutMs: 10_000, intervalMs: 1_000, signal },
    })
  })

  it('the debug pod of the page asks Ollama from inside', async () => {
    requireSlate(cluster)
    const command = commands.find((line) => line.startsWith('kubectl run debug')) ?? ''
    const answer = await run(command, { namespace: slate })
    expect(JSON.parse(answer)).toHaveProperty('models')
  })
})

describe('Ollama out of memory', () => {
  it('a program that needs more than its limit is killed for it; a higher limit helps', async ({ task }) => {
    await apply(
      deployment((container) => {
        container.resources = { requests: { cpu: '50m', memory: '32Mi' }, limits: { memory: '32Mi' } }
        // One buffer of 40 MiB, filled.
        container['command'] = [
          '/bin/sh',
          '-c',
          'dd if=/dev/zero of=/dev/null bs=40M count=1 && exec sleep 3600',
        ]
        delete container['readinessProbe']
      }),
    )
    const killed = await tells(
      "kubectl get pods -n slate -o jsonpath='{.items[*].status.containerStatuses[*].lastState.terminated.reason}'",
      /OOMKilled/,
    )
    recordOf(task.meta).facts.push({ name: 'reason', value: killed })
    await run('kubectl set resources deployment/NAME -n slate --limits=memory=64Mi')
    await available()
    await eventually(
      'its only pod runs and was never restarted',
      async (signal) => {
        const restarts = (await pods(signal)).flatMap(
          (pod) =>
            (pod['status'] as { containerStatuses?: { restartCount: number }[] }).containerStatuses?.map(
              ({ restartCount }) => restartCount,
            ) ?? [],
        )
        return { ok: restarts.length === 1 && restarts[0] === 0, seen: `restarts: ${restarts.join(', ')}` }
      },
      settle,
    )
  })
})

describe('logs', () => {
  it.each([
    'kubectl logs -n slate -l app.kubernetes.io/component=dashboard --tail=20',
    'kubectl logs -n slate deploy/ollama --tail=20',
    'kubectl logs -n slate -l app.kubernetes.io/part-of=slate-system --tail=5',
  ])('%s', async (command) => {
    requireSlate(cluster)
    await tells(command, /\S/, { namespace: slate })
  })

  it('of a container that never ended there is no previous one', async () => {
    requireSlate(cluster)
    const command = 'kubectl logs -n slate deploy/slate-dashboard --previous'
    const outcome = await run(command, { namespace: slate }).then(
      () => 'there is one',
      (error: unknown) => JSON.stringify(error),
    )
    // After a restart there is one; then the case of the crash above has shown what it looks like.
    if (outcome !== 'there is one') expect(outcome).toContain('previous terminated container')
  })
})

describe('reset', () => {
  it('restarts every Deployment of the namespace: new pods, and the guide’s flag is none', async () => {
    await apply(deployment())
    await available()
    const uids = async (): Promise<(string | undefined)[]> =>
      (await pods(AbortSignal.timeout(30_000))).map(({ metadata }) => metadata.uid)
    const before = await uids()
    expect(before).toHaveLength(1)
    await run('kubectl rollout restart deployment -n slate')
    await eventually(
      'the pod is another one',
      async () => {
        const after = await uids()
        return { ok: after.length === 1 && after[0] !== before[0], seen: after.join(', ') }
      },
      settle,
    )
    await available()
    const { kubeconfigFile } = cluster
    const refused = kubectl(['rollout', 'restart', 'deployment', '-n', space.name, '--all'], {
      kubeconfigFile,
      signal: AbortSignal.timeout(30_000),
    })
    await expect(refused).rejects.toMatchObject({
      evidence: expect.arrayContaining([expect.stringContaining('unknown flag: --all')]) as string[],
    })
  })
})
