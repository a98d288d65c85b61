import { parse } from 'shell-quote'

/** Words that stand before the command that they run. */
const prefixes = new Set(['sudo', 'env', 'exec', 'time', 'if', 'then', 'else', 'while', 'until', 'do', '!'])
const redirections = new Set(['>', '>>', '<', '>&', '<('])

/** The words of every simple command of a script, without redirections and what only stands before a command; variables stay as written. */
export function shellCommands(script: string): string[][] {
  return script
    .replaceAll('\\\n', ' ')
    .split('\n')
    .flatMap(commandsOfLine)
    .map(withoutPrefixes)
    .filter((words) => words.length > 0)
}

function commandsOfLine(line: string): string[][] {
  const commands: string[][] = [[]]
  let redirected = false
  for (const entry of parse(line, (name) => `$${name}`)) {
    const words = commands.at(-1) ?? []
    if (typeof entry === 'string') {
      if (!redirected) words.push(entry)
      redirected = false
    } else if ('comment' in entry) break
    else if (entry.op === 'glob') words.push(entry.pattern)
    else if (redirections.has(entry.op)) {
      // The number of a stream stands as a word of its own before it: 2>&1.
      if (/^\d$/.test(words.at(-1) ?? '')) words.pop()
      redirected = true
    } else commands.push([])
  }
  return commands
}

function withoutPrefixes(words: readonly string[]): string[] {
  const rest = [...words]
  let prefixed = false
  for (;;) {
    const [first] = rest
    if (first === undefined) return rest
    if (prefixes.has(first)) prefixed = true
    else if (!/^\w+=/.test(first) && !(prefixed && first.startsWith('-'))) return rest
    rest.shift()
  }
}
