import { existsSync, readFileSync, readlinkSync } from 'node:fs'

/** Which process a container was made for: the boot of the machine, the namespace of process numbers, the process, and when that began. */
export const ownerLabel = 'io.local-cloud.owner'
/** When it was made, ISO 8601. */
export const madeLabel = 'io.local-cloud.made'

/** What is asked of the machine; replaced in tests. */
export interface OwnerWorld {
  /** An id that another boot has not; undefined where it cannot be told. */
  boot(): string | undefined
  /** The namespace in which this process has its number (pid_namespaces(7)); undefined where it cannot be told. */
  namespace(): string | undefined
  /** Clock ticks from the boot to the start of a process (proc_pid_stat(5), field 22); undefined when there is no such process or it has ended. */
  startedAt(pid: number): string | undefined
}

/** Linux as it is. */
export const thisMachine: OwnerWorld = {
  boot: () =>
    existsSync('/proc/sys/kernel/random/boot_id')
      ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
      : undefined,
  namespace() {
    try {
      return readlinkSync('/proc/self/ns/pid')
    } catch {
      return undefined
    }
  },
  startedAt(pid) {
    try {
      const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
      // The second field is a name in parentheses, which may hold blanks.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return ['Z', 'X'].includes(fields[0] ?? '') ? undefined : fields[19]
    } catch {
      return undefined
    }
  },
}

/** Value of the owner label for a process. */
export const ownerOf = (pid: number, world: OwnerWorld = thisMachine): string =>
  [world.boot(), world.namespace(), pid, world.startedAt(pid)].map((part) => part ?? 'unknown').join('/')

/** Labels by which what is made now is known to be of a process, by default this one. */
export const ownLabels = (pid = process.pid): Record<string, string> => ({
  [ownerLabel]: ownerOf(pid),
  [madeLabel]: new Date().toISOString(),
})

/** Milliseconds after which something is taken for left behind where its owner cannot be looked for. */
const oldMs = 6 * 3_600_000

/**
 * Whether nobody owns something any more: its process has ended, or it is of an earlier boot. Where that cannot be told, as from another container
 * that uses the same engine, it goes by age.
 */
export function isAbandoned(
  labels: Readonly<Record<string, string>>,
  now: Date,
  world: OwnerWorld = thisMachine,
): boolean {
  const [boot = '', namespace = '', pid = '', started = ''] = (labels[ownerLabel] ?? '').split('/')
  const isKnown = (part: string | undefined): boolean =>
    part !== undefined && part !== '' && part !== 'unknown'
  const current = world.boot()
  if (isKnown(boot) && isKnown(current) && boot !== current) return true
  const canLook =
    [boot, namespace, pid, started].every(isKnown) && boot === current && namespace === world.namespace()
  if (canLook) return world.startedAt(Number(pid)) !== started
  return now.getTime() - Date.parse(labels[madeLabel] ?? '') > oldMs
}
