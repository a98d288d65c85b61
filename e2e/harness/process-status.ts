import { CheckBroke } from './verdict.ts'

/** Rights of a process, as Linux tells them in `/proc/PID/status` (https://man7.org/linux/man-pages/man5/proc_pid_status.5.html). */
export interface ProcessRights {
  /** Real, effective, saved and file system. */
  users: number[]
  groups: number[]
  /** Sets of capabilities that are not empty, such as `CapEff 00000000a80425fb`. */
  capabilities: string[]
  /** Whether no program that it starts can gain rights. */
  noNewPrivileges: boolean
  /** Whether its system calls are filtered. */
  seccompFilter: boolean
}

/** Reads them. @throws CheckBroke when the text is not such a file */
export function processRights(status: string): ProcessRights {
  const field = (name: string): string => {
    const value = new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]
    if (value === undefined)
      throw new CheckBroke(`No ${name} in the status of the process: ${status.slice(0, 200)}`)
    return value.trim()
  }
  const ids = (name: string): number[] => field(name).split(/\s+/).map(Number)
  return {
    users: ids('Uid'),
    groups: ids('Gid'),
    capabilities: ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].flatMap((name) =>
      /^0+$/.test(field(name)) ? [] : [`${name} ${field(name)}`],
    ),
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccompFilter: field('Seccomp') === '2',
  }
}
