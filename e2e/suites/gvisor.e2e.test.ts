import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { podReady } from '../../bootstrap/kube/conditions/pod-ready.ts'
import { requireCanary } from '../harness/canaries.ts'
import { attach, choiceFromEnvironment } from '../harness/cluster.ts'
import { assertNegative, type Check } from '../harness/controls.ts'
import { eventually } from '../harness/eventually.ts'
import {
  openGvisorGround,
  sandboxClass,
  statusesOf,
  tryObject,
  type GvisorGround,
} from '../harness/gvisor-ground.ts'
import type { Look } from '../harness/look.ts'
import { probePort, type ProbePod } from '../harness/probe-pod.ts'
import type { ConnectKind } from '../harness/probe-script.ts'
import { recordOf } from '../harness/record.ts'
import { CheckBroke } from '../harness/verdict.ts'

/*
 * What a pod in gVisor is and does, each beside a twin that runs as pods usually do: so that what is true of every pod is not taken for the
 * sandbox's merit, and what the sandbox cannot do is not taken for the cluster's fault.
 */
let ground: GvisorGround
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  const signal = AbortSignal.timeout(150_000)
  ground = stack.use(await openGvisorGround(await attach(choiceFromEnvironment(), signal), signal))
}, 160_000)
afterAll(() => stack.disposeAsync(), 90_000)

const pace = (signal: AbortSignal, timeoutMs = 20_000) => ({ timeoutMs, intervalMs: 300, signal })
const podRef = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', namespace: ground.namespace, name })
const sleeps = ['sh', '-c', 'exec sleep 3600']

/** Ok when a new connection from one pod to the other comes to `wanted`. */
const reaches = (from: ProbePod, to: ProbePod, wanted: ConnectKind): Check => ({
  title: `${from.name} to ${to.name}: ${wanted}`,
  run: async (stop): Promise<Look> => {
    const { kind, detail } = await from.connect(to.ip, probePort, { timeoutSeconds: 2, signal: stop })
    if (kind === 'could-not-run') throw new CheckBroke(detail)
    return { ok: kind === wanted, seen: `${kind}: ${detail}` }
  },
})

describe('the kernel', () => {
  it('is gVisor’s, by its version and its log; that of a twin outside is the machine’s', async ({
    task,
    signal,
  }) => {
    const { inside, outside, hand } = ground
    const [sandboxed, twin, machine] = await Promise.all([
      inside.sh('cat /proc/version', signal),
      outside.sh('cat /proc/version', signal),
      hand.inNode('cat /proc/version', signal),
    ])
    expect(sandboxed).toContain('gvisor')
    expect(await inside.sh('dmesg', signal)).toContain('Starting gVisor')
    expect(twin).toBe(machine)
    expect(sandboxed).not.toBe(machine)
    recordOf(task.meta).facts.push(
      { name: 'inside', value: sandboxed.trim() },
      { name: 'outside', value: twin.trim() },
    )
  })

  it('shows nothing of the machine’s processes, devices and modules', async ({ signal }) => {
    const { inside, outside } = ground
    const modules = 'test -e /proc/kallsyms && echo there || echo none'
    expect((await outside.sh(modules, signal)).trim()).toBe('there')
    expect((await inside.sh(modules, signal)).trim()).toBe('none')
    expect((await inside.sh('ls /sys/block 2>/dev/null | wc -l', signal)).trim()).toBe('0')
  })
})

describe('a hardened pod', () => {
  const capabilities = (status: string): string => /^CapEff:\s*(\S+)$/m.exec(status)?.[1] ?? ''
  const noCapability = '0000000000000000'

  it('has no capability, gains none, and may not become somebody else; one with the usual ones may', async ({
    task,
    signal,
  }) => {
    const { inside, kube, namespace } = ground
    const status = await inside.sh('cat /proc/self/status', signal)
    expect(capabilities(status)).toBe(noCapability)
    expect(status).toMatch(/^NoNewPrivs:\s*1$/m)
    expect((await inside.sh('id -u', signal)).trim()).toBe('1000')
    const own = 'touch /tmp/own && chown 0 /tmp/own'
    await ground.start(ground.smallPod('usual', [{ name: 'main', command: sleeps }]), signal)
    const usual = (script: string) =>
      kube.exec({ namespace, name: 'usual', container: 'main' }, ['sh', '-c', script], { signal })
    const attempt = () =>
      kube.exec({ namespace, name: inside.name, container: 'probe' }, ['sh', '-c', own], { signal })
    expect((await usual('touch /tmp/own && chown 1000 /tmp/own')).exitCode).toBe(0)
    expect(capabilities((await usual('cat /proc/self/status')).stdout)).not.toBe(noCapability)
    const refused = await attempt()
    expect(refused.exitCode).not.toBe(0)
    expect(refused.stderr).toMatch(/not permitted/i)
    recordOf(task.meta).facts.push({ name: 'chown to root', value: refused.stderr.trim() })
  })

  it('is behind a seccomp filter that is the sandbox’s own: RuntimeDefault is for system calls to the machine', async ({
    task,
    signal,
  }) => {
    const { inside, outside, hand } = ground
    const mode = (status: string): string => /^Seccomp:\s*(\d)$/m.exec(status)?.[1] ?? 'not told'
    expect(mode(await outside.sh('cat /proc/self/status', signal)), 'the twin’s own filter').toBe('2')
    const processes = await ground.processesOf(await ground.idsOf(inside.name, signal), signal)
    const modes = async (lines: readonly string[]): Promise<string[]> =>
      Promise.all(
        lines.map(async (line) =>
          mode(await hand.inNode(`cat /proc/${line.split(' ')[0] ?? ''}/status`, signal)),
        ),
      )
    const sandbox = processes.filter((line) => / runsc-sandbox /.test(line))
    const shim = processes.filter((line) => /containerd-shim-runsc/.test(line))
    expect(sandbox.length, processes.join('\n')).toBeGreaterThan(0)
    expect(new Set(await modes(sandbox))).toEqual(new Set(['2']))
    // The shim has none: the number tells them apart.
    expect(new Set(await modes(shim))).toEqual(new Set(['0']))
    recordOf(task.meta).facts.push({
      name: 'in the pod itself',
      value: `Seccomp ${mode(await inside.sh('cat /proc/self/status', signal))}`,
    })
  })
})

describe('the network', () => {
  const service = (name: string, app: string) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: ground.namespace },
    spec: { selector: { app }, ports: [{ port: 80, targetPort: probePort }] },
  })
  const hostOf = (name: string): string => `${name}.${ground.namespace}.svc.cluster.local`

  beforeAll(async () => {
    await ground.kube.apply([service('web-inside', 'inside'), service('web-outside', 'outside')], {
      signal: AbortSignal.timeout(20_000),
      dryRun: 'skip',
    })
  })

  it('names resolve from within, and one that is not there is told so', async ({ task, signal }) => {
    requireCanary('dns')
    const { inside } = ground
    const ask = (host: string) => inside.connect(host, 80, { timeoutSeconds: 5, signal })
    await eventually(
      'a Service’s name',
      async () => {
        const { kind, detail } = await ask(hostOf('web-outside'))
        return { ok: kind === 'connected', seen: `${kind}: ${detail}` }
      },
      pace(signal),
    )
    const unknown = await eventually(
      'the resolver says that a name is not there',
      async () => {
        const { kind, detail } = await ask(hostOf('nobody'))
        if (kind === 'could-not-run') throw new CheckBroke(detail)
        // A resolver that is silent has not answered yet; anything else means that the name led somewhere.
        expect(kind, detail).toBe('dns-failure')
        return { ok: detail.includes('NXDOMAIN'), seen: detail }
      },
      pace(signal, 60_000),
    )
    recordOf(task.meta).facts.push({ name: 'a name that is not there', value: unknown })
  })

  it('a Service leads from the sandbox to an ordinary pod, and back', async ({ signal }) => {
    requireCanary('dns')
    const { inside, outside } = ground
    for (const [from, to] of [
      [inside, outside],
      [outside, inside],
    ] as const)
      await eventually(
        `${from.name} asks ${to.name} by its Service`,
        async (stop) => {
          const answer = await from.http(`http://${hostOf(`web-${to.name}`)}/`, {
            timeoutSeconds: 5,
            signal: stop,
          })
          if (answer.kind !== 'answered') return { ok: false, seen: `${answer.kind}: ${answer.detail}` }
          return {
            ok: answer.status === 200 && answer.body.trim() === to.name,
            seen: `${String(answer.status)} ${answer.body.trim()}`,
          }
        },
        pace(signal),
      )
  })

  describe('policies', () => {
    let friend: ProbePod
    beforeAll(async () => {
      friend = await ground.probePod({ name: 'friend' }, AbortSignal.timeout(60_000))
    })

    const peers = [{ podSelector: { matchLabels: { app: 'friend' } } }]
    const policy = (direction: 'Ingress' | 'Egress') => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'only-friends', namespace: ground.namespace },
      spec: {
        podSelector: { matchLabels: { app: 'inside' } },
        policyTypes: [direction],
        ...(direction === 'Ingress' ? { ingress: [{ from: peers }] } : { egress: [{ to: peers }] }),
      },
    })
    const cause = (direction: 'Ingress' | 'Egress', signal: AbortSignal) => ({
      title: `a NetworkPolicy that lets only friend through (${direction})`,
      apply: async () => {
        await ground.kube.apply([policy(direction)], { signal, dryRun: 'skip' })
      },
      remove: async () => {
        const { apiVersion, kind, metadata } = policy(direction)
        await ground.kube.delete({ apiVersion, kind, ...metadata }, { signal: AbortSignal.timeout(20_000) })
      },
    })

    it('silence a pod in gVisor to who may not reach it, and only while they are there', async ({
      task,
      signal,
    }) => {
      requireCanary('enforcement')
      const { inside, outside } = ground
      await assertNegative(recordOf(task.meta), {
        negative: reaches(outside, inside, 'timeout'),
        control: reaches(outside, inside, 'connected'),
        beside: reaches(friend, inside, 'connected'),
        cause: cause('Ingress', signal),
        settle: pace(signal),
        hold: pace(signal, 6_000),
      })
    })

    it('keep a pod in gVisor from whom it may not reach, and only while they are there', async ({
      task,
      signal,
    }) => {
      requireCanary('enforcement')
      const { inside, outside } = ground
      await assertNegative(recordOf(task.meta), {
        negative: reaches(inside, outside, 'timeout'),
        control: reaches(inside, outside, 'connected'),
        beside: reaches(inside, friend, 'connected'),
        cause: cause('Egress', signal),
        settle: pace(signal),
        hold: pace(signal, 6_000),
      })
    })
  })
})

describe('what the kubelet does with it', () => {
  it('programs run in it: their exit codes, both outputs and their input', async ({ signal }) => {
    const { inside, kube, namespace } = ground
    const target = { namespace, name: inside.name, container: 'probe' }
    const script = 'read line; echo "got $line"; echo "and said so" >&2; exit 7'
    const ran = await kube.exec(target, ['sh', '-c', script], { signal, stdin: 'a line\n' })
    expect(ran).toEqual({ exitCode: 7, stdout: 'got a line\n', stderr: 'and said so\n' })
  })

  it('a container that ends is told with its exit code and its log', async ({ signal }) => {
    const { kube, namespace } = ground
    const command = ['sh', '-c', 'echo to the one; echo to the other >&2; exit 3']
    const ended = await ground.toItsEnd(ground.smallPod('ends', [{ name: 'main', command }]), signal)
    expect(ended).toMatchObject({ exitCode: 3, reason: 'Error' })
    const log = await kube.logs({ namespace, name: 'ends', container: 'main' }, signal)
    expect(log.trim().split('\n').toSorted()).toEqual(['to the one', 'to the other'])
  })

  it('probes run in it: a pod gets Ready when it says so, and starts again when it is ill', async ({
    signal,
  }) => {
    const { kube, namespace } = ground
    const name = 'probed'
    const look = (script: string) => ({
      exec: { command: ['sh', '-c', script] },
      periodSeconds: 1,
      // A program takes long to start in the sandbox of a busy machine, and that is no illness.
      timeoutSeconds: 20,
      failureThreshold: 3,
    })
    const probes = {
      readinessProbe: look('test -e /tmp/ready'),
      livenessProbe: look('! test -e /tmp/ill'),
    }
    const pod = ground.smallPod(name, [{ name: 'main', command: sleeps, ...probes }], {
      restartPolicy: 'Always',
    })
    const sh = (script: string) =>
      kube.exec({ namespace, name, container: 'main' }, ['sh', '-c', script], { signal })
    const status = async (stop: AbortSignal) => statusesOf(await kube.get(podRef(name), stop))[0]
    await kube.apply([pod], { signal, dryRun: 'skip' })
    await eventually(
      'it runs, and is not Ready',
      async (stop) => {
        const { state, ready } = (await status(stop)) ?? {}
        return { ok: state?.running !== undefined && ready === false, seen: JSON.stringify({ state, ready }) }
      },
      pace(signal, 60_000),
    )
    await sh('touch /tmp/ready')
    await kube.waitFor(podRef(name), podReady, { timeoutMs: 60_000, signal })
    expect((await status(signal))?.restartCount).toBe(0)
    await sh('touch /tmp/ill')
    await eventually(
      'it was started again, with a file system of its own',
      async (stop) => {
        const { restartCount, state, ready } = (await status(stop)) ?? {}
        return {
          ok: restartCount === 1 && state?.running !== undefined && ready === false,
          seen: JSON.stringify({ restartCount, state, ready }),
        }
      },
      pace(signal, 120_000),
    )
    await sh('touch /tmp/ready')
    await kube.waitFor(podRef(name), podReady, { timeoutMs: 60_000, signal })
  })

  it('a deleted pod gets its signal, is gone soon, and leaves no process in the node', async ({
    task,
    signal,
  }) => {
    const { kube } = ground
    const name = 'deleted'
    // Without the signal this would take the whole grace period; it is Ready when it has set its trap.
    const command = ['sh', '-c', 'trap "exit 0" TERM; touch /tmp/trapped; sleep 3600 & wait']
    const readinessProbe = {
      exec: { command: ['test', '-e', '/tmp/trapped'] },
      periodSeconds: 1,
      timeoutSeconds: 20,
    }
    const pod = ground.smallPod(name, [{ name: 'main', command, readinessProbe }], {
      terminationGracePeriodSeconds: 60,
    })
    await ground.start(pod, signal)
    const ids = await ground.idsOf(name, signal)
    const before = await ground.processesOf(ids, signal)
    expect(before.length, 'a shim and a sandbox at least').toBeGreaterThan(1)
    const started = performance.now()
    await kube.delete(podRef(name), { signal, wait: true })
    const ms = performance.now() - started
    expect(ms).toBeLessThan(45_000)
    const left = await eventually(
      'no process is left',
      async (stop) => {
        const lines = await ground.processesOf(ids, stop)
        return { ok: lines.length === 0, seen: lines.join('; ') || 'none' }
      },
      pace(signal, 30_000),
    )
    recordOf(task.meta).facts.push(
      { name: 'processes before', value: String(before.length) },
      { name: 'gone after', value: `${String(Math.round(ms))} ms` },
      { name: 'processes after', value: left },
    )
  })
})

describe('volumes', () => {
  it('an emptyDir is shared by the containers of a pod, and a ConfigMap is there to read only', async ({
    signal,
  }) => {
    const { kube, namespace } = ground
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'words', namespace } }
    await kube.apply([{ ...config, data: { word: 'configured' } }], { signal, dryRun: 'skip' })
    const volumeMounts = [
      { name: 'shared', mountPath: '/shared' },
      { name: 'words', mountPath: '/words' },
    ]
    const pod = ground.smallPod(
      'volumes',
      ['writer', 'reader'].map((name) => ({ name, command: sleeps, volumeMounts })),
      {
        volumes: [
          { name: 'shared', emptyDir: {} },
          { name: 'words', configMap: { name: 'words' } },
        ],
      },
    )
    await ground.start(pod, signal)
    const sh = (container: string, script: string) =>
      kube.exec({ namespace, name: 'volumes', container }, ['sh', '-c', script], { signal })
    expect((await sh('writer', 'echo shared > /shared/file')).exitCode).toBe(0)
    expect((await sh('reader', 'cat /shared/file /words/word')).stdout).toBe('shared\nconfigured')
    const refused = await sh('writer', 'echo other > /words/word')
    expect(refused.exitCode).not.toBe(0)
    expect(refused.stderr).toMatch(/read-only/i)
  })

  it('a claim keeps what a pod in gVisor wrote for an ordinary one, and the other way round', async ({
    signal,
  }) => {
    requireCanary('storage')
    const { kube, namespace } = ground
    await kube.apply(
      [
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'kept', namespace },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '16Mi' } } },
        },
      ],
      { signal, dryRun: 'skip' },
    )
    const claims = { kept: '/kept' }
    {
      await using writer = await ground.probePod(
        { name: 'writes', runtimeClassName: sandboxClass, claims },
        signal,
      )
      await writer.sh('echo from within > /kept/one && sync', signal)
    }
    {
      await using reader = await ground.probePod({ name: 'reads', claims }, signal)
      expect(await reader.sh('cat /kept/one', signal)).toBe('from within\n')
      await reader.sh('echo from without > /kept/two', signal)
    }
    await using again = await ground.probePod(
      { name: 'reads-again', runtimeClassName: sandboxClass, claims },
      signal,
    )
    expect(await again.sh('cat /kept/one /kept/two', signal)).toBe('from within\nfrom without\n')
  })
})

describe('what does not hold', () => {
  it('a memory limit ends an ordinary container and not one in gVisor, as docs/how-to/use-gvisor.md says', async ({
    task,
    signal,
  }) => {
    // One block that is larger than the limit, held at once. Where only dd is killed, its shell lets containerd hear of it before the end.
    const command = ['sh', '-c', 'dd if=/dev/zero of=/dev/null bs=100M count=1; code=$?; sleep 3; exit $code']
    const resources = { requests: { cpu: '5m', memory: '32Mi' }, limits: { memory: '32Mi' } }
    const greedy = (name: string, runtimeClassName: string | undefined) =>
      ground.toItsEnd(
        ground.smallPod(name, [{ name: 'main', command, resources }], { runtimeClassName }),
        signal,
      )
    const [ordinary, sandboxed] = await Promise.all([
      greedy('greedy-outside', undefined),
      greedy('greedy-inside', sandboxClass),
    ])
    expect(ordinary, 'the control: the limit is enforced here').toMatchObject({ exitCode: 137 })
    // With cgroup v2 all processes are killed at once, and the end may be told before its reason is (containerd issues 8180 and 12372).
    expect(['OOMKilled', 'Error']).toContain(ordinary.reason)
    expect(sandboxed).toMatchObject({ exitCode: 0 })
    recordOf(task.meta).facts.push({
      name: '100 MB with a limit of 32 MiB',
      value: `outside ${ordinary.reason ?? ''}, inside ${sandboxed.reason ?? ''}`,
    })
  })
})

describe('the RuntimeClass', () => {
  it('is looked at when a pod is made: one that is not there is refused', async ({ task, signal }) => {
    const pod = (runtimeClassName: string) =>
      ground.smallPod('tried', [{ name: 'main', command: sleeps }], { runtimeClassName })
    const before = await tryObject(ground.kube, pod(sandboxClass), signal)
    expect(before).toBe('taken')
    const refused = await tryObject(ground.kube, pod('nobodys'), signal)
    expect(refused).toMatch(/RuntimeClass "nobodys" not found/)
    const after = await tryObject(ground.kube, pod(sandboxClass), signal)
    expect(after).toBe('taken')
    recordOf(task.meta).controls.push({
      negative: { title: 'a pod of a class that is not there', seen: refused },
      before: { title: 'the same pod of the class gvisor', seen: before },
      after: { title: 'the same pod of the class gvisor', seen: after },
    })
  })
})

describe('when containerd is replaced', () => {
  it('a pod in gVisor goes on as it was, can be worked with, and another one starts', async ({
    task,
    signal,
  }) => {
    const { inside, hand, kube } = ground
    const restarts = async (stop: AbortSignal) =>
      statusesOf(await kube.get(podRef(inside.name), stop)).map(({ restartCount }) => restartCount)
    const running = async (stop: AbortSignal) => (await hand.inNode('pgrep -x containerd', stop)).trim()
    const [before, counted] = await Promise.all([running(signal), restarts(signal)])
    const mark = String(Date.now())
    await inside.sh(`echo ${mark} > /tmp/mark`, signal)
    // The connection goes through containerd, so that its end is not told.
    await hand.inNode('pkill -x containerd', signal).catch(() => '')
    await delay(1_000, undefined, { signal })
    const after = await eventually(
      'another containerd runs',
      async (stop) => {
        const now = await running(stop).catch(() => before)
        return { ok: now !== '' && now !== before, seen: `process ${now}` }
      },
      pace(signal, 60_000),
    )
    await eventually(
      'the pod still knows what it was told',
      async (stop) => {
        const kept = await inside.sh('cat /tmp/mark', stop).catch((error: unknown) => String(error))
        return { ok: kept.trim() === mark, seen: kept.trim() }
      },
      pace(signal, 60_000),
    )
    expect((await kube.get(podRef(inside.name), signal))?.metadata.uid).toBe(inside.uid)
    expect(await restarts(signal)).toEqual(counted)
    await using next = await ground.probePod(
      { name: 'after-restart', runtimeClassName: sandboxClass },
      signal,
    )
    expect(await next.sh('cat /proc/version', signal)).toContain('gvisor')
    recordOf(task.meta).facts.push({ name: 'containerd', value: `${before}, then ${after}` })
  })
})
