import { dialCommand, readDials, type Dial, type Outcome } from './client.ts'
import type { Source } from './source.ts'
import type { Cluster } from '../harness/cluster.ts'
import type { ProbePod } from '../harness/probe-pod.ts'
import type { ConnectKind } from '../harness/probe-script.ts'
import type { MatrixCell, TestRecord } from '../harness/record.ts'
import { evaluateIn } from '../harness/slate-pods.ts'
import { CheckBroke, ExpectationFailed } from '../harness/verdict.ts'

/** Where to knock: TCP, by address, so that names are no part of it. */
export interface Door {
  name: string
  address: string
  port: number
  /** Why it is known to answer where no row of the matrix may come in: "the kubelet's probe passes". */
  witness?: string
}

/** Who knocks. */
export interface Knocker {
  name: string
  /** What a new connection to each door did, in their order. @throws CheckBroke when it could not try */
  knock: (doors: readonly Door[], signal: AbortSignal) => Promise<(ConnectKind | Outcome)[]>
}

/** A lost first packet is sent again after a second (RFC 6298). */
const timeoutMs = 2500
/** Every square is measured so many times, each time on new connections. */
const passes = 3

const dial = `Promise.all(input.doors.map(({ address, port }) => new Promise((resolve) => {
  const socket = require('node:net').connect({ host: address, port })
  const end = (kind) => { socket.destroy(); resolve(kind) }
  socket.setTimeout(input.timeoutMs, () => end('timeout'))
  socket.once('connect', () => end('connected'))
  socket.once('error', ({ code }) => end({ ECONNREFUSED: 'refused', EHOSTUNREACH: 'unreachable', ENETUNREACH: 'unreachable', ETIMEDOUT: 'timeout' }[code] ?? 'broken:' + code))
})))`

/** A pod whose image has Node: it knocks from its own network, whatever runtime it is in. */
export const nodeKnocker = (
  cluster: Pick<Cluster, 'kube'>,
  { name, namespace, pod }: { name: string; namespace: string; pod: string },
): Knocker => ({
  name,
  async knock(doors, signal) {
    const kinds = await evaluateIn<string[]>(
      cluster,
      { namespace, name: pod },
      dial,
      { doors, timeoutMs },
      signal,
    )
    const bad = kinds.find((kind) => kind.startsWith('broken:'))
    if (bad !== undefined || kinds.length !== doors.length)
      throw new CheckBroke(`The client in ${namespace}/${pod} could not knock: ${bad ?? kinds.join()}`)
    return kinds as ConnectKind[]
  },
})

/** A probe pod of the test. */
export const probeKnocker = (name: string, pod: ProbePod): Knocker => ({
  name,
  knock: (doors, signal) =>
    Promise.all(
      doors.map(async ({ address, port }) => {
        const { kind, detail } = await pod.connect(address, port, { timeoutSeconds: 3, signal })
        if (kind === 'could-not-run' || kind === 'dns-failure')
          throw new CheckBroke(`The client in ${pod.name} could not knock: ${detail}`)
        return kind
      }),
    ),
})

/** A machine outside the cluster. */
export const outsideKnocker = (machine: Source): Knocker => ({
  name: machine.name,
  async knock(doors, signal) {
    const dials = doors.map(({ address, port }): Dial => ({ protocol: 'TCP', address, port }))
    const [kinds = []] = readDials(
      machine.name,
      await machine.run(dialCommand(dials, { passes: 1, timeoutMs }), signal),
      dials,
      1,
    )
    return kinds
  },
})

/** How often somebody knocks at a door that should open and stays silent: on a busy machine whoever opens can be late. */
const knocks = 3

/** Knocks at all doors, and again at those that should open and were silent; a door that should be closed is asked once. */
async function knockPatiently(
  row: Knocker,
  doors: readonly Door[],
  isOpen: (door: Door) => boolean,
  signal: AbortSignal,
): Promise<(ConnectKind | Outcome)[]> {
  const kinds = [...(await row.knock(doors, signal))]
  for (let again = 1; again < knocks; again += 1) {
    const silent = doors.flatMap((door, index) =>
      isOpen(door) && kinds[index] === 'timeout' ? [{ door, index }] : [],
    )
    if (silent.length === 0) break
    const answers = await row.knock(
      silent.map(({ door }) => door),
      signal,
    )
    for (const [position, { index }] of silent.entries()) kinds[index] = answers[position] ?? 'could-not-run'
  }
  return kinds
}

/**
 * Measures who gets in where, three times on new connections, and requires every square to be as stated. A closed square counts only when
 * its door opened for somebody else in the same pass, or has a witness.
 * @throws ExpectationFailed with every square that is not as stated; CheckBroke when a door that is closed to all has no witness, or a client
 * could not try
 */
export async function requireDoors(
  record: TestRecord,
  options: {
    title: string
    rows: readonly Knocker[]
    doors: readonly Door[]
    /** What is open: row → names of doors; everything else is closed. */
    open: Readonly<Record<string, readonly string[]>>
    signal: AbortSignal
  },
): Promise<void> {
  const { title, rows, doors, open, signal } = options
  const cells = new Map<string, MatrixCell>()
  for (let pass = 1; pass <= passes; pass += 1) {
    const measured = await Promise.all(
      rows.map(async (row) => {
        const isOpen = ({ name }: Door): boolean => open[row.name]?.includes(name) === true
        return { row: row.name, kinds: await knockPatiently(row, doors, isOpen, signal) }
      }),
    )
    for (const { row, kinds } of measured) {
      for (const [index, door] of doors.entries()) {
        const kind = kinds[index] ?? 'could-not-run'
        const expected = open[row]?.includes(door.name) === true ? 'open' : 'closed'
        const other = measured.find((one) => one.row !== row && one.kinds[index] === 'connected')
        const control = other ? `${other.row} gets in` : door.witness
        const ok = (kind === 'connected') === (expected === 'open')
        const key = `${row}\0${door.name}`
        // The first wrong measurement of a square stays.
        if (cells.get(key)?.ok === false) continue
        cells.set(key, {
          row,
          column: door.name,
          stated: expected,
          expected,
          measured: kind,
          ok,
          ...(expected === 'closed' && control !== undefined ? { control } : {}),
        })
      }
    }
  }
  const all = [...cells.values()]
  ;(record.matrices ??= []).push({
    title,
    rows: rows.map(({ name }) => name),
    columns: doors.map(({ name }) => name),
    cells: all,
  })
  const wrong = all.filter(({ ok }) => !ok)
  if (wrong.length > 0) {
    const words = wrong.map(
      ({ row, column, expected, measured }) => `${row} → ${column}: ${measured}, not ${expected}`,
    )
    throw new ExpectationFailed(`${title}: ${words.join('; ')}`)
  }
  const unseen = all.filter(({ expected, control }) => expected === 'closed' && control === undefined)
  if (unseen.length > 0) {
    const names = [...new Set(unseen.map(({ column }) => column))]
    throw new CheckBroke(
      `${title}: nobody got in at ${names.join(', ')}, so that its closed squares say nothing`,
    )
  }
}
