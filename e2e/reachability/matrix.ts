import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
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

/** How often everything is dialled while something that should answer does not: on a busy machine an answer can be late. */
const rounds = 3

/** What was seen of every target, per source and from the target's witness. */
interface Measured {
  /** Per source, per target. */
  squares: string[][]
  /** Per target. */
  witnessed: Map<Target, string>
}

/**
 * Dials every target from every source and from its witness, and compares what happened with what the specification states and with
 * what the policies in the cluster mean. All of it is dialled again, three times at most, while something that should answer is silent
 * and nothing that should be silent answers: lateness passes, a closed door does not, and one that was open once counts at once. The
 * matrix goes into `record` in every case.
 * @throws ExpectationFailed with the matrix and a command per square that is not as it should be, also when the matrices in a row
 * differ; CheckBroke when a client could not run, a target is dead, or a row has nothing that should be open, because then "closed"
 * would say nothing
 */
export async function requireMatrix(
  record: { matrices?: MatrixRecord[] },
  options: MatrixOptions,
): Promise<MatrixRecord> {
  const { title, sources, targets } = options
  let measured = await measure(options)
  for (let round = 1; round < rounds && mayBeLate(measured, options); round += 1) {
    measured = await measure(options)
  }
  const alive = new Map<Target, string>()
  for (const [target, seen] of measured.witnessed) {
    const wanted = answerOf(target)
    if (seen !== wanted) {
      throw new CheckBroke(
        `${target.name} did not answer ${target.witness.name} as it must: ${seen}, not ${wanted}. So nothing can be said of it.`,
      )
    }
    alive.set(target, `${seen} from ${target.witness.name}`)
  }
  const cells = sources.flatMap((source, row) =>
    targets.map((target, column) =>
      judge(source, target, measured.squares[row]?.[column] ?? 'nothing', alive.get(target) ?? '', options),
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

async function measure({ sources, targets, signal }: MatrixOptions): Promise<Measured> {
  const witnesses = [...new Set(targets.map(({ witness }) => witness))]
  const [squares, witnessed] = await Promise.all([
    Promise.all(
      sources.map(async (source) => {
        const passes = await dialAll(
          source,
          targets.map(({ dial }) => dial),
          signal,
        )
        return targets.map((_, index) => inARow(passes, index))
      }),
    ),
    Promise.all(
      witnesses.map(async (witness) => {
        const own = targets.filter((target) => target.witness === witness)
        const dials = own.map(({ dial, witnessed: other = dial }) => other)
        const passes = await dialAll(witness, dials, signal)
        return own.map((target, index): [Target, string] => [target, inARow(passes, index)])
      }),
    ),
  ])
  return { squares, witnessed: new Map(witnessed.flat()) }
}

const answerOf = ({ deaf }: Target): Outcome => (deaf === true ? 'refused' : 'connected')

/** Whether something that should answer did not, while nothing answered that should not. */
function mayBeLate({ squares, witnessed }: Measured, { sources, targets, contract }: MatrixOptions): boolean {
  let late = [...witnessed].some(([target, seen]) => seen !== answerOf(target))
  for (const [row, source] of sources.entries()) {
    for (const [column, target] of targets.entries()) {
      const seen = squares[row]?.[column] ?? 'nothing'
      const stated = statedOf(contract, source, target)
      if (isAs(stated, seen, target.deaf === true)) continue
      if (stated === 'closed' && seen.includes(answerOf(target))) return false
      late = true
    }
  }
  return late
}

const statedOf = (contract: StatedNetwork, source: Source, target: Target): 'open' | 'closed' =>
  isStatedOpen(contract, {
    from: source.stated,
    to: target.stated.end,
    protocol: target.dial.protocol,
    port: target.stated.port,
  })
    ? 'open'
    : 'closed'

/** How often a client is started until one runs to its end; one that does not has found nothing out. */
const attempts = 3

/** Per pass, what each dial did from this source. @throws CheckBroke when the client could not run */
export async function dialAll(
  source: Source,
  dials: readonly Dial[],
  signal: AbortSignal,
  options: DialOptions = dialling,
): Promise<Outcome[][]> {
  const command = dialCommand(dials, options)
  for (let left = attempts; ; left -= 1) {
    try {
      return readDials(source.name, await source.run(command, signal), dials, options.passes)
    } catch (error) {
      signal.throwIfAborted()
      const mayRun = error instanceof CheckBroke || error instanceof LocalCloudError
      if (!mayRun || left === 1) throw error
    }
  }
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
  const stated = statedOf(contract, source, target)
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
