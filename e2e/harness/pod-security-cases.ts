import type { KubeObject } from '../../bootstrap/kube/client.ts'

/** A field by which a pod violates a level of the Pod Security Standards, and how the level calls the control that it violates. */
export interface PodSecurityCase {
  field: string
  violates: string
  /** Sets the field, in place, in a pod that fits the level `restricted`. */
  change: (pod: PodSpec, container: Container) => void
}

interface PodSpec extends Record<string, unknown> {
  securityContext: Record<string, unknown>
  containers: Container[]
}
interface Container extends Record<string, unknown> {
  securityContext: Record<string, unknown>
}

const host = '127.0.0.1'

/**
 * The controls of the level `baseline` (https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline), as far as one field of
 * a Linux pod violates one: HostProcess is of Windows, and an unmasked /proc is refused before, unless the pod has users of its own.
 */
export const baselineCases: readonly PodSecurityCase[] = [
  ...['hostNetwork', 'hostPID', 'hostIPC'].map((field) => ({
    field,
    violates: `host namespaces (${field}=true)`,
    change: (pod: PodSpec) => {
      pod[field] = true
    },
  })),
  {
    field: 'privileged',
    violates: 'privileged',
    change: (_pod, { securityContext }) => {
      // A privileged container may escalate; the API refuses to hear anything else.
      Object.assign(securityContext, { privileged: true, allowPrivilegeEscalation: true })
    },
  },
  {
    field: 'capabilities.add',
    violates: 'non-default capabilities',
    change: (_pod, { securityContext }) => {
      securityContext['capabilities'] = { drop: ['ALL'], add: ['SYS_ADMIN'] }
    },
  },
  {
    field: 'hostPath',
    violates: 'hostPath volumes',
    change: (pod) => {
      pod['volumes'] = [{ name: 'node', hostPath: { path: '/' } }]
    },
  },
  {
    field: 'hostPort',
    violates: 'hostPort',
    change: (_pod, container) => {
      container['ports'] = [{ containerPort: 8080, hostPort: 8080 }]
    },
  },
  {
    field: 'host of a probe',
    violates: 'probe or lifecycle host',
    change: (_pod, container) => {
      container['readinessProbe'] = { tcpSocket: { host, port: 8080 } }
    },
  },
  {
    field: 'appArmorProfile',
    violates: 'forbidden AppArmor profile',
    change: ({ securityContext }) => {
      securityContext['appArmorProfile'] = { type: 'Unconfined' }
    },
  },
  {
    field: 'seLinuxOptions',
    violates: 'seLinuxOptions',
    change: ({ securityContext }) => {
      securityContext['seLinuxOptions'] = { type: 'spc_t' }
    },
  },
  {
    field: 'seccompProfile',
    violates: 'seccompProfile',
    change: ({ securityContext }) => {
      securityContext['seccompProfile'] = { type: 'Unconfined' }
    },
  },
  {
    field: 'sysctls',
    violates: 'forbidden sysctls',
    change: ({ securityContext }) => {
      securityContext['sysctls'] = [{ name: 'kernel.msgmax', value: '65536' }]
    },
  },
]

/** What `restricted` asks for beyond `baseline`, likewise. */
export const restrictedCases: readonly PodSecurityCase[] = [
  {
    field: 'volume type',
    violates: 'restricted volume types',
    change: (pod) => {
      pod['volumes'] = [{ name: 'files', nfs: { server: host, path: '/' } }]
    },
  },
  {
    field: 'allowPrivilegeEscalation',
    violates: 'allowPrivilegeEscalation != false',
    change: (_pod, { securityContext }) => {
      securityContext['allowPrivilegeEscalation'] = true
    },
  },
  {
    field: 'runAsNonRoot',
    violates: 'runAsNonRoot != true',
    change: ({ securityContext }) => {
      securityContext['runAsNonRoot'] = false
    },
  },
  {
    field: 'runAsUser',
    violates: 'runAsUser=0',
    change: ({ securityContext }) => {
      securityContext['runAsUser'] = 0
    },
  },
  {
    field: 'no seccompProfile',
    violates: 'seccompProfile',
    change: ({ securityContext }) => {
      delete securityContext['seccompProfile']
    },
  },
  {
    field: 'capabilities not dropped',
    violates: 'unrestricted capabilities',
    change: (_pod, { securityContext }) => {
      delete securityContext['capabilities']
    },
  },
]

/** The pod with that field changed in its only or first container. */
export function violating(pod: KubeObject, { change }: PodSecurityCase): KubeObject {
  const copy = structuredClone(pod)
  const spec = copy['spec'] as PodSpec
  const [container] = spec.containers
  if (!container) throw new Error('The pod has no container.')
  change(spec, container)
  return copy
}
