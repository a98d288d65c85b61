import { readdir, readFile, readlink } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** Who listens on a port; pid and program are known where /proc shows them to this user. */
export interface PortHolder {
  pid?: number
  program?: string
}

/**
 * Tries to listen on the port and tells who does already, or undefined when it is free. Nothing stays open.
 * @throws LocalCloudError BAD_VALUE when `address` is none of this machine's.
 */
export async function findPortHolder(
  port: number,
  address: string,
  proc = '/proc',
): Promise<PortHolder | undefined> {
  const code = await tryToListen(port, address)
  if (code === undefined) return undefined
  if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') {
    throw new LocalCloudError('BAD_VALUE', {
      message: `${address} is not an address of this machine.`,
      hint: 'Pass --listen-address with an address of this machine, such as 127.0.0.1 or 0.0.0.0.',
    })
  }
  const holder = await listenerOf(port, address, proc)
  // A port below 1024 is refused to an ordinary user, free or not; the engine binds it with its own rights.
  if (code === 'EACCES' && holder === undefined) return undefined
  return holder ?? {}
}

/**
 * Makes sure that every port is free, before anything is created.
 * @throws LocalCloudError PORT_TAKEN with the first taken port, its flag, who holds it, and a free one near it.
 */
export async function requireFreePorts(
  ports: readonly { flag: string; port: number }[],
  address: string,
): Promise<void> {
  for (const { flag, port } of ports) {
    const holder = await findPortHolder(port, address)
    if (holder === undefined) continue
    const free = await nextFreePort(
      port + 1,
      address,
      ports.map((entry) => entry.port),
    )
    throw new LocalCloudError('PORT_TAKEN', {
      message: `Port ${String(port)} on ${address} is in use by ${portHolderWords(holder)}.`,
      hint: `Stop it, or pass --${flag} with a free port${free === undefined ? '' : `, such as ${String(free)}`}.`,
    })
  }
}

/** `node (process 4711)`, `process 4711`, or `another process`. */
export function portHolderWords({ pid, program }: PortHolder): string {
  if (pid === undefined) return 'another process'
  return program === undefined ? `process ${String(pid)}` : `${program} (process ${String(pid)})`
}

async function nextFreePort(
  first: number,
  address: string,
  except: readonly number[],
): Promise<number | undefined> {
  for (let port = first; port < Math.min(first + 50, 65_536); port += 1) {
    if (!except.includes(port) && (await tryToListen(port, address)) === undefined) return port
  }
  return undefined
}

/** The error code, or undefined when listening worked. */
function tryToListen(port: number, address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? 'UNKNOWN')
    })
    server.listen({ port, host: address, exclusive: true, ipv6Only: address === '::' }, () => {
      server.close(() => {
        resolve(undefined)
      })
    })
  })
}

async function listenerOf(port: number, address: string, proc: string): Promise<PortHolder | undefined> {
  const inodes = new Set<string>()
  for (const table of ['tcp', 'tcp6']) {
    const text = await readFile(path.join(proc, 'net', table), 'utf8').catch(() => '')
    for (const inode of listeningInodes(text, port, address)) inodes.add(inode)
  }
  return inodes.size === 0 ? undefined : ((await ownerOf(inodes, proc)) ?? {})
}

/** TCP_LISTEN in include/net/tcp_states.h. */
const listening = '0A'

/** Socket inodes in a /proc/net/tcp or tcp6 table that listen on the port, on the address or on every one. */
export function listeningInodes(table: string, port: number, address: string): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const wanted = procAddress(address)
  return table.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    const [, local = '', , state] = fields
    const inode = fields[9]
    if (state !== listening || !local.endsWith(suffix) || inode === undefined || inode === '0') return []
    const bound = local.slice(0, -suffix.length)
    const everywhere = /^0+$/.test(bound) || /^0+$/.test(wanted ?? '0')
    return everywhere || wanted === undefined || bound.endsWith(wanted) ? [inode] : []
  })
}

/** An IPv4 address as these tables write it: little-endian hexadecimal. Undefined for IPv6, which is matched by port alone. */
function procAddress(address: string): string | undefined {
  if (!net.isIPv4(address)) return undefined
  return address
    .split('.')
    .reverse()
    .map((part) => Number(part).toString(16).toUpperCase().padStart(2, '0'))
    .join('')
}

async function ownerOf(inodes: ReadonlySet<string>, proc: string): Promise<PortHolder | undefined> {
  const wanted = new Set([...inodes].map((inode) => `socket:[${inode}]`))
  const pids = (await readdir(proc).catch((): string[] => [])).filter((name) => /^\d+$/.test(name))
  for (const pid of pids) {
    const folder = path.join(proc, pid, 'fd')
    for (const fd of await readdir(folder).catch((): string[] => [])) {
      if (!wanted.has(await readlink(path.join(folder, fd)).catch(() => ''))) continue
      const program = (await readFile(path.join(proc, pid, 'comm'), 'utf8').catch(() => '')).trim()
      return { pid: Number(pid), ...(program === '' ? {} : { program }) }
    }
  }
  return undefined
}
