import type { MatrixCell, MatrixRecord } from '../harness/record.ts'
import { CheckBroke, ExpectationFailed } from '../harness/verdict.ts'
import { dialByHand, dialCommand, readDials, type Dial, type DialOptions, type Outcome } from './client.ts'
import type { End } from './ends.ts'
import { evaluate, explain, type PolicyWorld } from './evaluate-policies.ts'
import type { Source } from './source.ts'
import { isStatedOpen, type StatedNetwork } from './stated.ts'

/** Something to connect to. */
export interface Target {
  /** Column of the matrix. */
  name: string
  dial: Dial
  /** What the address leads to, as the cluster knows it: the pods behind a Service, else the one end itself. */
  ends: readonly { end: End; port: number }[]
  /** The same as the specification knows it. */
  stated: { end: End; port: number }
  /** Nothing listens there on purpose: a connection that arrives is refused. */
  deaf?: boolean
  /** Somebody whom no policy keeps from this target; what it sees shows that the target is alive. */
  witness: Source
  /** What the witness dials, where that is not the same: the pod itself has no need of the Service before it. */
  witnessed?: Dial
}

export interface MatrixOptions {
  title: string
  sources: readonly Source[]
  targets: readonly Target[]
  world: PolicyWorld
  contract: StatedNetwork
  signal: AbortSignal
}

/** Three matrices in a row, each connection new (guide proof.md 7). A lost first packet is sent again after 1 s (RFC 6298). */
export const dialling: DialOptions = { passes: 3, timeoutMs: 1_300 }

/**
 * Dials every target from every source and from its witness, and compares what happened with what the specification states and with
 * what the policies in the cluster mean. The matrix goes into `record` in every case.
 * @throws ExpectationFailed with the matrix and a command per square that is not as it should be, also when the matrices in a row
 * differ; CheckBroke when a client could not run, a target is dead, or a row has nothing that should be open, because then "closed"
 * would say nothing
 */
export async function requireMatrix(
  record: { matrices?: MatrixRecord[] },
  options: MatrixOptions,
): Promise<MatrixRecord> {
  const { title, sources, targets, signal } = options
  const witnesses = [...new Set(targets.map(({ witness }) => witness))]
  const [measured, witnessed] = await Promise.all([
    Promise.all(
      sources.map((source) =>
        dialAll(
          source,
          targets.map(({ dial }) => dial),
          signal,
        ),
      ),
    ),
    Promise.all(
      witnesses.map(async (witness) => {
        const own = targets.filter((target) => target.witness === witness)
        const dials = own.map(({ dial, witnessed: other = dial }) => other)
        return { witness, own, passes: await dialAll(witness, dials, signal) }
      }),
    ),
  ])
  const alive = new Map<Target, string>()
  for (const { witness, own, passes } of witnessed) {
    own.forEach((target, index) => {
      const seen = inARow(passes, index)
      const wanted = target.deaf === true ? 'refused' : 'connected'
      if (seen !== wanted) {
        throw new CheckBroke(
          `${target.name} did not answer ${witness.name} as it must: ${seen}, not ${wanted}. So nothing can be said of it.`,
        )
      }
      alive.set(target, `${seen} from ${witness.name}`)
    })
  }
  const cells = sources.flatMap((source, row) =>
    targets.map((target, column) =>
      judge(source, target, inARow(measured[row] ?? [], column), alive.get(target) ?? '', options),
    ),
  )
  const matrix: MatrixRecord = {
    title,
    rows: sources.map(({ name }) => name),
    columns: targets.map(({ name }) => name),
    cells: cells.map(({ why: _, ...cell }) => cell),
  }
  ;(record.matrices ??= []).push(matrix)
  const lame = matrix.rows.filter(
    (row) => !matrix.cells.some((cell) => cell.row === row && (cell.stated ?? cell.expected) === 'open'),
  )
  if (lame.length > 0)
    throw new CheckBroke(`Nothing is open to ${lame.join(', ')}, so its silence says nothing.`)
  const bad = cells.filter(({ ok }) => !ok)
  if (bad.length > 0) throw new ExpectationFailed(describeMatrix(matrix, bad))
  return matrix
}

/** Per pass, what each dial did from this source. @throws CheckBroke when the client could not run */
export async function dialAll(
  source: Source,
  dials: readonly Dial[],
  signal: AbortSignal,
  options: DialOptions = dialling,
): Promise<Outcome[][]> {
  const result = await source.run(dialCommand(dials, options), signal)
  return readDials(source.name, result, dials, options.passes)
}

/** The outcome of all passes, or all of them where they differ: `connected, timeout, connected`. */
function inARow(passes: readonly Outcome[][], index: number): string {
  const seen = passes.map((pass) => pass[index] ?? 'nothing')
  return new Set(seen).size === 1 ? (seen[0] ?? 'nothing') : seen.join(', ')
}

interface Judged extends MatrixCell {
  why: string
}

function judge(
  source: Source,
  target: Target,
  measured: string,
  control: string,
  { world, contract }: MatrixOptions,
): Judged {
  const { protocol } = target.dial
  const evaluations = target.ends.map(({ end, port }) =>
    evaluate(world, { from: source.end, to: end, protocol, port }),
  )
  const stated = isStatedOpen(contract, {
    from: source.stated,
    to: target.stated.end,
    protocol,
    port: target.stated.port,
  })
    ? 'open'
    : 'closed'
  // A Service is open when every pod behind it is.
  const expected = evaluations.length > 0 && evaluations.every(({ open }) => open) ? 'open' : 'closed'
  const closed = evaluations.find(({ open }) => !open) ?? evaluations[0]
  return {
    row: source.name,
    column: target.name,
    stated,
    expected,
    measured,
    ok: stated === expected && isAs(stated, measured, target.deaf === true),
    control,
    command: `${source.prefix} ${dialByHand(target.dial)}`,
    why: closed ? explain(closed) : 'it leads to no pod',
  }
}

/**
 * Open is an answer of the target: a connection, or a refusal where nothing listens. Closed is silence, or what a network that rejects
 * says in place of a target that listens. A reset or a mixture is neither.
 */
export function isAs(wanted: 'open' | 'closed', measured: string, deaf: boolean): boolean {
  if (wanted === 'open') return measured === (deaf ? 'refused' : 'connected')
  return measured === 'timeout' || measured === 'unreachable' || (measured === 'refused' && !deaf)
}

const short = (cell: MatrixCell): string =>
  cell.ok ? (cell.stated === 'open' ? 'o' : '.') : cell.stated === 'open' ? 'X' : '!'

/** The matrix as text, and each square that is not as it should be with the command that shows it again. */
export function describeMatrix(
  matrix: MatrixRecord,
  bad: readonly (MatrixCell & { why?: string })[],
): string {
  const { title, rows, columns, cells } = matrix
  const width = Math.max(...rows.map((row) => row.length))
  const numbers = columns.map((_, index) => String(index + 1).padStart(3)).join('')
  const lines = rows.map((row) => {
    const squares = columns.map((column) => {
      const cell = cells.find((one) => one.row === row && one.column === column)
      return (cell ? short(cell) : ' ').padStart(3)
    })
    return `${row.padEnd(width)}${squares.join('')}`
  })
  return [
    `${title}: ${String(bad.length)} of ${String(cells.length)} squares are not as they should be.`,
    'o open, . closed, X should be open, ! should be closed',
    `${' '.repeat(width)}${numbers}`,
    ...lines,
    ...columns.map((column, index) => `${String(index + 1).padStart(3)} ${column}`),
    ...bad
      .slice(0, 12)
      .flatMap((cell) => [
        `${cell.row} → ${cell.column}: stated ${cell.stated ?? 'nowhere'}, the policies mean ${cell.expected}, measured ${cell.measured}` +
          `${cell.why === undefined ? '' : ` (${cell.why})`}; ${cell.control ?? 'no witness'}`,
        `  ${cell.command ?? ''}`,
      ]),
    ...(bad.length > 12 ? [`… and ${String(bad.length - 12)} more`] : []),
  ].join('\n')
}
