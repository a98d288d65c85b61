// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { commands } from './commands.mjs'
import { helpText } from './help.mjs'
import { nearest } from './nearest.mjs'

/** The checkout this file belongs to. */
export const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..')

/** @typedef {import('./commands.mjs').CommandName} CommandName */
/** @typedef {import('./commands.mjs').Flag} Flag */
/** @typedef {import('./commands.mjs').ReadContext} ReadContext */

/**
 * @typedef {object} UsageProblem
 * @property {'UNKNOWN_FLAG' | 'BAD_VALUE' | 'UNKNOWN_SYSTEM'} code
 * @property {string} message
 * @property {string} hint
 */

/** @param {string} flag */
const camelCase = (flag) => flag.replace(/-([a-z])/g, (_match, letter) => String(letter).toUpperCase())

class Refusal extends Error {
  /** @param {UsageProblem['code']} code @param {string} message @param {string} hint */
  constructor(code, message, hint) {
    super(message)
    this.problem = { code, message, hint }
  }
}

/** @param {string | undefined} suggestion @param {CommandName} command */
const hintFor = (suggestion, command) =>
  `${suggestion === undefined ? '' : `Did you mean ${suggestion}? `}All flags: npx zx bootstrap/${command}.mjs --help`

/**
 * `values` have the property names and types of `UpOptions`: paths absolute, durations in milliseconds, defaults filled in.
 * @typedef {{ kind: 'run', command: CommandName, values: Record<string, unknown> }
 *   | { kind: 'print', text: string }
 *   | { kind: 'refused', problem: UsageProblem, json: boolean }} Parsed
 */

/**
 * Reads and checks the arguments of one command. Touches nothing but the files and folders that flags name, to see that
 * they exist. A flag without a default is absent when not given. Never throws for wrong arguments: they come back as
 * `refused`.
 * @param {CommandName} command
 * @param {readonly string[]} argv what follows the script's name
 * @param {{ cwd?: string, repository?: string }} [places]
 * @returns {Parsed}
 */
export function parseArguments(command, argv, places = {}) {
  const context = { command, cwd: places.cwd ?? process.cwd(), repository: places.repository ?? repository }
  if (argv.some((word) => word === '--help' || word === '-h'))
    return { kind: 'print', text: helpText(command) }
  if (argv.includes('--version')) return { kind: 'print', text: `${versionText()}\n` }
  try {
    const given = givenFlags(argv, context)
    const values = withDefaults(given, context)
    const problem = commands[command].conflict?.(values, new Set(given.keys()), context)
    if (problem !== undefined) throw new Refusal('BAD_VALUE', `${problem}.`, hintFor(undefined, command))
    return { kind: 'run', command, values }
  } catch (error) {
    if (error instanceof Refusal)
      return { kind: 'refused', problem: error.problem, json: argv.includes('--json') }
    throw error
  }
}

/**
 * The texts given for each flag; none for a switch.
 * @param {readonly string[]} argv @param {ReadContext} context
 */
function givenFlags(argv, context) {
  const { flags } = commands[context.command]
  /** @param {string} message */
  const refuse = (message) => new Refusal('BAD_VALUE', message, hintFor(undefined, context.command))
  /** @type {Map<string, string[]>} */
  const given = new Map()
  const words = [...argv]
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const [, written = '', attached] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(word) ?? []
    const name = Object.keys(flags).find((known) => flags[known]?.alias === written) ?? written
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
    if (!flag) throw unknown(word, name, flags, context.command)
    const before = given.get(name)
    if (before && !flag.repeatable) throw refuse(`--${name} is given twice.`)
    if (flag.form === undefined) {
      if (attached !== undefined) throw refuse(`--${name} takes no value, but got "${attached}".`)
      given.set(name, [])
      continue
    }
    const bare = attached === undefined && flag.bare !== undefined && (words[0] ?? '--').startsWith('--')
    const text = bare ? flag.bare : (attached ?? words.shift())
    if (text === undefined || (!bare && attached === undefined && text.startsWith('--'))) {
      throw refuse(`--${name} needs a value: --${name} ${flag.form}.`)
    }
    given.set(name, [...(before ?? []), text])
  }
  return given
}

/** @param {Map<string, string[]>} given @param {ReadContext} context */
function withDefaults(given, context) {
  /** @type {Record<string, unknown>} */
  const values = {}
  for (const [name, flag] of Object.entries(commands[context.command].flags)) {
    if (name === 'help' || name === 'version') continue
    const key = flag.key ?? camelCase(name)
    const texts = given.get(name)
    if (flag.form === undefined) values[key] = (texts !== undefined) !== (flag.inverted === true)
    else if (flag.repeatable) values[key] = (texts ?? []).map((text) => readValue(name, flag, text, context))
    else {
      const text = texts?.[0] ?? flag.initial
      if (text !== undefined) values[key] = readValue(name, flag, text, context)
    }
  }
  return values
}

/** @param {string} name @param {Flag} flag @param {string} text @param {ReadContext} context */
function readValue(name, flag, text, context) {
  try {
    return flag.read ? flag.read(text, context) : text
  } catch (error) {
    const suggestion = nearest(text, flag.suggest?.(context) ?? [])
    throw new Refusal(
      flag.code ?? 'BAD_VALUE',
      `--${name} ${text}: ${error instanceof Error ? error.message : String(error)}.`,
      hintFor(suggestion === undefined ? undefined : `--${name} ${suggestion}`, context.command),
    )
  }
}

/** @param {string} word @param {string} name @param {Record<string, Flag>} flags @param {CommandName} command */
function unknown(word, name, flags, command) {
  const suggestion = nearest(name || word.replace(/^-+/, ''), Object.keys(flags))
  const what = word.startsWith('-')
    ? `${command} has no flag ${name ? `--${name}` : word}.`
    : `${command} takes no argument "${word}".`
  return new Refusal(
    'UNKNOWN_FLAG',
    what,
    hintFor(suggestion === undefined ? undefined : `--${suggestion}`, command),
  )
}

function versionText() {
  const text = readFileSync(path.join(repository, 'package.json'), 'utf8')
  const { name, version } = /** @type {{ name: string, version: string }} */ (JSON.parse(text))
  return `${name} ${version}`
}
