import { gpuResource } from '../../bootstrap/plan/gpu-plan.ts'
import { podReady } from '../../bootstrap/kube/conditions/pod-ready.ts'
import type { ExecResult, KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { probeImage } from './probe-pod.ts'
import { runLabel } from './run-id.ts'
import { CheckBroke } from './verdict.ts'

export interface GpuPodOptions {
  namespace: string
  runId: string
  name: string
  /** How many it asks for, as Kubernetes writes quantities; absent for none. */
  gpus?: string
  /** Of what, where it is not whole GPUs: `nvidia.com/mig-1g.5gb`. */
  resource?: string
  /** An image with sh and sleep; the probe's own unless told. */
  image?: string
  runtimeClassName?: string
  priorityClassName?: string
  nodeSelector?: Record<string, string>
  tolerations?: { operator: 'Exists' }[]
}

/** A small pod that sleeps; root, with the right to make device nodes, so that only the device cgroup is between it and a GPU. */
export function gpuPod({
  namespace,
  runId,
  name,
  gpus,
  resource = gpuResource,
  image = probeImage,
  ...rest
}: GpuPodOptions): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { [runLabel]: runId } },
    spec: {
      ...rest,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image,
          imagePullPolicy: 'IfNotPresent',
          command: ['sleep', '3600'],
          securityContext: { capabilities: { add: ['MKNOD'] } },
          resources: {
            requests: { cpu: '5m', memory: '8Mi' },
            limits: { cpu: '100m', memory: '32Mi', ...(gpus === undefined ? {} : { [resource]: gpus }) },
          },
        },
      ],
    },
  }
}

/** What opening a device came to. `allowed` is also ENXIO: the cgroup let it through, and nobody answers, as on the mock. */
export type Opened = 'allowed' | 'forbidden'

/** A pod that runs. */
export interface RunningGpuPod {
  name: string
  uid: string
  /** Device nodes of GPUs in its /dev, and those of MIG instances. */
  devices(signal: AbortSignal): Promise<string[]>
  /** Opens a device; with numbers it makes the node first. @throws CheckBroke when the outcome is none of the known ones */
  open(device: string, signal: AbortSignal, make?: { major: number; minor: number }): Promise<Opened>
  /** A variable of its environment, empty where it is not set. */
  variable(name: string, signal: AbortSignal): Promise<string>
  /** Puts a program into it and runs it there. */
  runProgram(program: Uint8Array, signal: AbortSignal): Promise<ExecResult>
}

/** Makes the pod and returns when it is Ready. @throws LocalCloudError WAIT_TIMEOUT with the pod's reason */
export async function startGpuPod(
  kube: KubeClient,
  options: GpuPodOptions,
  signal: AbortSignal,
): Promise<RunningGpuPod> {
  await kube.apply([gpuPod(options)], { signal, dryRun: 'skip' })
  return runningGpuPod(kube, options, signal)
}

/** The pod as soon as it is Ready. */
export async function runningGpuPod(
  kube: KubeClient,
  { namespace, name }: Pick<GpuPodOptions, 'namespace' | 'name'>,
  signal: AbortSignal,
  timeoutMs = 60_000,
): Promise<RunningGpuPod> {
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace, name }
  const ready = await kube.waitFor(ref, podReady, { timeoutMs, signal })
  const sh = (script: string, stop: AbortSignal) =>
    kube.exec({ namespace, name, container: 'main' }, ['sh', '-c', script], { signal: stop })
  const output = async (script: string, stop: AbortSignal): Promise<string> => {
    const { exitCode, stdout, stderr } = await sh(script, stop)
    if (exitCode !== 0) throw new CheckBroke(`${script} in ${name}: ${stderr.trim()}`)
    return stdout.trim()
  }
  return {
    name,
    uid: ready?.metadata.uid ?? '',
    async devices(stop) {
      const list = await output(
        'cd /dev && ls -d nvidia* nvidia-caps/* 2>/dev/null | { grep -E "^nvidia[0-9]+$|nvidia-cap[0-9]+$" || true; }',
        stop,
      )
      return list
        .split('\n')
        .filter((device) => device !== '')
        .map((device) => `/dev/${device}`)
    },
    async open(device, stop, make) {
      if (make) await output(`mknod ${device} c ${String(make.major)} ${String(make.minor)}`, stop)
      const { exitCode, stderr } = await sh(`exec 3<> ${device}`, stop)
      if (exitCode === 0 || stderr.includes('No such device or address')) return 'allowed'
      if (stderr.includes('Operation not permitted')) return 'forbidden'
      throw new CheckBroke(`Opening ${device} in ${name} came to something unknown: ${stderr.trim()}`)
    },
    variable: (variable, stop) => output(`echo "$${variable}"`, stop),
    async runProgram(program, stop) {
      const place = '/tmp/program'
      await kube.exec(
        { namespace, name, container: 'main' },
        ['sh', '-c', `base64 -d > ${place} && chmod +x ${place}`],
        { signal: stop, stdin: Buffer.from(program).toString('base64') },
      )
      return sh(place, stop)
    },
  }
}
