// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.
import { commands } from './commands.mjs'

/** @typedef {import('./commands.mjs').CommandName} CommandName */

/**
 * The help of one command, as `--help` prints it: at most 110 columns.
 * @param {CommandName} command
 */
export function helpText(command) {
  const { summary, flags, examples } = commands[command]
  const left = Object.entries(flags).map(
    ([name, flag]) => `--${name}${flag.form === undefined ? '' : ` ${flag.form}`}`,
  )
  const width = Math.max(...left.map((text) => text.length)) + 2
  const lines = Object.values(flags).flatMap((flag, index) => {
    const notes = [flag.repeatable ? 'repeatable' : '', shown(flag)].filter(Boolean)
    const text = `${flag.help}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`
    return wrap(text, 108 - width).map(
      (line, row) => `  ${(row === 0 ? (left[index] ?? '') : '').padEnd(width)}${line}`,
    )
  })
  return [
    summary,
    '',
    `Usage: npx zx bootstrap/${command}.mjs [flags]`,
    '',
    'Flags:',
    ...lines,
    '',
    'Examples:',
    ...examples.map((example) => `  ${example}`),
    '',
    'Exit codes: 0 done, 2 wrong input, 3 prerequisite, 4 failed program, 5 Kubernetes, 6 deadline, 130 interrupted,',
    '1 a defect of the tool. Every error has a code, explained in docs/errors.md.',
    '',
  ].join('\n')
}

/** @param {import('./commands.mjs').Flag} flag */
const shown = ({ shown: text, initial }) =>
  (text ?? initial) === undefined ? '' : `default: ${String(text ?? initial)}`

/** @param {string} text @param {number} width */
function wrap(text, width) {
  /** @type {string[]} */
  const lines = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
