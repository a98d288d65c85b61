import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { documentCommands, kubectlWords } from './document-commands.ts'

const commands = documentCommands()

it('are in the order of the document, each once', () => {
  const lines = commands.map(({ lines: at }) => Number(/\d+/.exec(at)?.[0]))
  expect(lines).toEqual(lines.toSorted((a, b) => a - b))
  const ids = commands.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
})

it.each(commands)('$id can be run as plain kubectl, or says why it is not', (one) => {
  if (one.onNode) expect(one.command).toContain(`${String(one.onNode.port)}${one.onNode.path}`)
  else if (one.expect || one.decision === undefined) expect(kubectlWords(one).length).toBeGreaterThan(1)
  for (const pattern of one.expect ?? []) expect(() => new RegExp(pattern, 'm')).not.toThrow()
})

it('cite decisions that are written down', () => {
  const page = readFileSync(new URL('../../docs/decisions/0033-zones.md', import.meta.url), 'utf8')
  for (const { decision } of commands) if (decision) expect(page).toContain(`| ${decision} `)
})

it('kubectlWords refuses what needs a shell', () => {
  const [first] = commands
  expect(kubectlWords({ ...first!, command: 'kubectl get pods -A' })).toEqual(['get', 'pods', '-A'])
  for (const wrong of ['curl x', 'kubectl get x | grep y', 'kubectl taint nodes $(hostname) x'])
    expect(() => kubectlWords({ ...first!, command: wrong })).toThrow('is no plain command')
})
