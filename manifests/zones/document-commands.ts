import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'

const text = z.string().min(1)
const command = z.strictObject({
  id: text,
  /** Lines of the document. */
  lines: z.string().regex(/^L\d+(?:-\d+)?$/),
  /** As the document has it. */
  command: text,
  /** What is known to be wrong with it. */
  decision: z
    .string()
    .regex(/^Z\d\d$/)
    .exactOptional(),
  /** What is run in its place. */
  instead: z.string().startsWith('kubectl ').exactOptional(),
  /** A request to the node's own loopback, in the place of curl there. */
  onNode: z.strictObject({ port: z.int().positive(), path: z.string().startsWith('/') }).exactOptional(),
  needsGpu: z.boolean().default(false),
  /** What it must print: regular expressions, `^` and `$` at lines; absent for a command that looks at nothing. */
  expect: z.array(text).min(1).exactOptional(),
})

export type DocumentCommand = z.output<typeof command>

/**
 * The commands of the document, in its order.
 * @throws ZodError naming the command and field when the file does not have this form
 */
export const documentCommands = (): DocumentCommand[] =>
  z.array(command).parse(parse(readFileSync(new URL('document-commands.yaml', import.meta.url), 'utf8')))

/** What is run for it, as words for kubectl. @throws Error for a command that is no plain kubectl */
export function kubectlWords({ id, command: asWritten, instead = asWritten }: DocumentCommand): string[] {
  const [program, ...words] = instead.split(/\s+/)
  if (program !== 'kubectl' || /[|$'"]/.test(instead))
    throw new Error(`${id} is no plain command of kubectl: ${instead}`)
  return words
}
