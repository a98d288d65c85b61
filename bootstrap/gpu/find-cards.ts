import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { findProgram } from '../engine/find-program.ts'
import { runCommand, throwIfAborted } from '../process/run-command.ts'

/** A GPU as NVIDIA's driver names it. */
export interface Card {
  index: number
  uuid: string
  name: string
  /** Undefined where the card has no memory of its own (nvidia-smi says [N/A]). */
  memoryMib: number | undefined
  /** Version of the driver, the same for all cards. */
  driver: string
}

/** At least one card, or why there is none: words that fit after a colon, without a full stop. */
export type FoundCards = { cards: [Card, ...Card[]] } | { reason: string }

/** Milliseconds: without the persistence daemon the driver wakes every card first, seconds each. */
const answerMs = 20_000

/** nvidia-smi(1), RETURN VALUE: 14 is a corrupted infoROM, told after a complete answer. */
const answered = [0, 14]

/** Most of nvidia-smi's own words that a reason quotes. */
const mostWords = 300

/**
 * The cards of this machine, by nvidia-smi. What the machine lacks is a reason, never an error.
 * @throws LocalCloudError only when the signal aborts: INTERRUPTED, or its own reason.
 */
export async function findCards(
  signal: AbortSignal,
  world: { searchPath?: string } = {},
): Promise<FoundCards> {
  throwIfAborted(signal)
  const program = findProgram('nvidia-smi', world.searchPath)
  if (program === undefined) return { reason: 'nvidia-smi, which comes with NVIDIA’s driver, is not on PATH' }
  try {
    const { exitCode, stdout, stderr } = await runCommand(
      program,
      ['--query-gpu=index,uuid,name,memory.total,driver_version', '--format=csv,noheader,nounits'],
      { signal, timeoutMs: answerMs, acceptExitCodes: 'any' },
    )
    const [first, ...more] = answered.includes(exitCode) ? stdout.split('\n').flatMap(cardOf) : []
    if (first !== undefined) return { cards: [first, ...more] }
    return { reason: reasonOf(exitCode, `${stdout}\n${stderr}`) }
  } catch (error) {
    throwIfAborted(signal)
    if (error instanceof LocalCloudError) return { reason: `nvidia-smi does not answer (${error.message})` }
    throw error
  }
}

/** The error for work that needs a card where there is none. */
export const noCard = (reason: string): LocalCloudError =>
  new LocalCloudError('GPU_NO_CARD', { message: `No NVIDIA card can be used: ${reason}.` })

function cardOf(line: string): Card[] {
  const match = /^(\d+), (GPU-[^,]+), (.+), ([^,]+), ([^,]+)$/.exec(line.trim())
  const [, index, uuid = '', name = '', memory = '', driver = ''] = match ?? []
  if (index === undefined) return []
  const memoryMib = /^\d+$/.test(memory) ? Number(memory) : undefined
  return [{ index: Number(index), uuid, name, memoryMib, driver }]
}

function reasonOf(exitCode: number, output: string): string {
  const words = output.trim().replaceAll(/\s+/g, ' ').slice(0, mostWords).replace(/\.$/, '')
  if (/^no devices were found/i.test(words) || (exitCode === 0 && words === ''))
    return 'nvidia-smi finds no devices'
  if (exitCode === 0) return `nvidia-smi names no card: ${words}`
  return `nvidia-smi fails with exit code ${String(exitCode)}${words === '' ? '' : `: ${words}`}`
}
