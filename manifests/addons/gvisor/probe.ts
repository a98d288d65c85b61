import type { Probe, ProbeContext } from '../../../bootstrap/addons/addon.ts'
import { runInPod } from '../../../bootstrap/addons/probing/run-in-pod.ts'
import { startShellPods, type RunningPod } from '../../../bootstrap/addons/probing/shell-pods.ts'

/** The kernel's name for itself, and the first line of its log; an ordinary pod may not read the log of the machine's kernel. */
const askKernel = 'cat /proc/version; dmesg 2>/dev/null | head -n 1'

/**
 * gVisor's kernel has `-gvisor` in its release (pkg/sentry/kernel/version) and begins its log with "Starting gVisor..."
 * (pkg/sentry/kernel/syslog.go). A twin without the RuntimeClass has neither; where it has, the whole machine runs in gVisor and nothing is told.
 */
export const probe: Probe = async (context) => {
  const [sandboxed, plain] = await startShellPods(context, [
    { name: 'sandboxed', runtimeClassName: 'gvisor' },
    { name: 'plain' },
  ])
  const [inside, outside] = await Promise.all([kernelOf(context, sandboxed), kernelOf(context, plain)])
  const seen = `a pod of the class has ${inside.words}, one without it ${outside.words}`
  if (outside.inVersion || outside.inLog)
    return { result: 'not-proven', reason: `gVisor is around all pods: ${seen}` }
  return { result: inside.inVersion && inside.inLog ? 'pass' : 'fail', seen }
}

interface Kernel {
  words: string
  inVersion: boolean
  inLog: boolean
}

async function kernelOf({ kube, signal }: ProbeContext, pod: RunningPod): Promise<Kernel> {
  const { stdout } = await runInPod(kube, pod, askKernel, [], signal)
  const [version = '', log = ''] = stdout.trim().split('\n')
  const release = /version (\S+)/.exec(version)?.[1] ?? (version.trim() || 'no version')
  return {
    words: `the kernel ${release}, whose log ${log === '' ? 'it may not read' : `begins with "${log.replace(/^\[[^\]]*\]\s*/, '')}"`}`,
    inVersion: /gvisor/i.test(version),
    inLog: /gvisor/i.test(log),
  }
}
