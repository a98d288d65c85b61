import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { findPortHolder, portHolderWords, type PortHolder } from '../host/free-ports.ts'

/** A Service that wants a port of this machine. */
export interface PortWish {
  service: string
  /** The Service's own port, which is taken when it is free. */
  port: number
  /** Asked for by name: this one or none. */
  local?: number
}

export interface ChosenPort {
  localPort: number
  /** Why it is not the Service's own. */
  note?: string
}

/** How far above the wished port another one is looked for. */
const farthest = 200

/**
 * A port of this machine for each Service: the one that was asked for, else the Service's own, else the next that is free and that
 * no other Service wants. Nothing stays open.
 * @throws LocalCloudError PORT_TAKEN when one that was asked for is in use; BAD_VALUE when two were asked for the same, or
 * `address` is none of this machine's.
 */
export async function choosePorts(
  wishes: readonly PortWish[],
  address: string,
  holderOf: (port: number, address: string) => Promise<PortHolder | undefined> = findPortHolder,
): Promise<ChosenPort[]> {
  const given = new Map<number, string>()
  for (const { service, local } of wishes) {
    if (local === undefined) continue
    const other = given.get(local)
    if (other !== undefined) {
      throw new LocalCloudError('BAD_VALUE', {
        message: `--port gives port ${String(local)} to both ${other} and ${service}.`,
      })
    }
    given.set(local, service)
  }
  const used = new Set(given.keys())
  const wanted = new Set(wishes.map(({ port }) => port))
  const next = async (from: number): Promise<number | undefined> => {
    for (let port = from + 1; port <= Math.min(from + farthest, 65_535); port += 1) {
      if (!used.has(port) && !wanted.has(port) && !(await holderOf(port, address))) return port
    }
    return undefined
  }

  const chosen: ChosenPort[] = []
  for (const { service, port, local } of wishes) {
    if (local !== undefined) {
      const holder = await holderOf(local, address)
      if (holder) {
        const free = await next(local)
        throw new LocalCloudError('PORT_TAKEN', {
          message: `Port ${String(local)} on ${address}, which --port gives to ${service}, is in use by ${portHolderWords(holder)}.`,
          hint: `Stop it, or pass --port ${service}=${String(free ?? 'PORT')}, or no --port for ${service}.`,
        })
      }
      chosen.push({ localPort: local })
      continue
    }
    const holder = used.has(port) ? undefined : await holderOf(port, address)
    if (!used.has(port) && !holder) {
      used.add(port)
      chosen.push({ localPort: port })
      continue
    }
    const other = await next(port)
    const why = holder ? portHolderWords(holder) : (given.get(port) ?? 'another Service')
    if (other === undefined) {
      throw new LocalCloudError('PORT_TAKEN', {
        message: `Port ${String(port)} on ${address} for ${service} is in use by ${why}, and so are the ${String(farthest)} after it.`,
        hint: `Pass --port ${service}=PORT with a free one.`,
      })
    }
    used.add(other)
    chosen.push({ localPort: other, note: `${String(port)} is in use by ${why}` })
  }
  return chosen
}
