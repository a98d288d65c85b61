// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.

/**
 * What is shown of an error that ends a command.
 * @typedef {object} Problem
 * @property {string} code
 * @property {string} message what happened
 * @property {string} hint what to do next
 * @property {readonly string[]} [causes] why, from the nearest cause to the root
 * @property {readonly string[]} [evidence]
 * @property {string} [stack]
 */

/** @param {string} text @param {string} indent */
const indented = (text, indent) => text.split('\n').join(`\n${indent}`)

/**
 * The error as text: code, what, why, evidence, hint; ends with a newline.
 * @param {Problem} problem
 * @param {(style: 'red' | 'dim' | 'bold', text: string) => string} [paint]
 */
export function formatProblem(problem, paint = (_style, text) => text) {
  const lines = [
    `${paint('red', `✖ ${problem.code}`)} ${paint('bold', indented(problem.message, '  '))}`,
    ...(problem.causes ?? []).map((cause) => `  because: ${indented(cause, '    ')}`),
    ...(problem.evidence ?? []).map((line) => paint('dim', `  │ ${indented(line, '  │ ')}`)),
    `  → ${indented(problem.hint, '    ')}`,
  ]
  if (problem.stack !== undefined) lines.push('', problem.stack)
  return `${lines.join('\n')}\n`
}
