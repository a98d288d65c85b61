import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { commands } from '../bootstrap/cli/commands.mjs'
import { servedUrls, summaryText } from '../bootstrap/cli/up-summary.ts'
import { readSlateContract } from '../e2e/harness/slate.ts'
import { e2eFlags } from './e2e-options.ts'
import { optionsTable } from './readme-options.ts'
import { diffFlags } from './slate-diff-options.ts'
import { forwardFlags } from './slate-forward-options.ts'
import { commandProblem, projectAt } from './workflows/command-problem.ts'

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const read = (file: string): string => readFileSync(path.join(repository, file), 'utf8')
const readme = read('README.md')
/** Pages whose commands are held to what the tool takes. */
const pages = [
  'README.md',
  'docs/troubleshooting.md',
  'docs/how-to/operate-a-system.md',
  'docs/how-to/use-in-your-ci.md',
].map(read)
const ci = read('.ci/run')
const project = projectAt(repository)

/** Every line of every block that is marked as shell. */
const shellLinesOf = (page: string): string[] =>
  [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
    block.split('\n').filter((line) => line.trim() !== ''),
  )
const shellLines = shellLinesOf(readme)

/** Commands of ours, in running text or in blocks: `bootstrap/down --all`, `npm run bench`. */
const ownCommand = /(?:npx zx )?bootstrap\/\w+(?:\.mjs)?(?: --?[^`]*)?|npm (?:run )?\w+[^`]*/.source
const inlineCommands = [
  ...new Set(
    pages.flatMap((page) => [
      ...[...page.matchAll(new RegExp(`\`(${ownCommand})\``, 'g'))].map(([, command = '']) => command),
      ...shellLinesOf(page).filter((line) => new RegExp(`^(${ownCommand})$`).test(line)),
    ]),
  ),
]

describe('commands of the README', () => {
  it('are there', () => {
    expect(shellLines.slice(0, 3)).toEqual([
      'npx zx bootstrap/up.mjs',
      'npx zx bootstrap/down.mjs',
      'bootstrap/down',
    ])
    expect(inlineCommands).toContain('npm run bench')
  })

  it.each(shellLines)('CI runs: %s', (line) => {
    // As it stands, perhaps with more flags after it, as a command of a phase or of a function.
    const escaped = line.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    expect(ci).toMatch(
      new RegExp(String.raw`^( *(?:phase|suite|suite_in_time) '[^']+' | +)${escaped}($| )`, 'm'),
    )
  })

  it.each(inlineCommands)('are accepted: %s', (command) => {
    const words = [...command.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word)
    expect(commandProblem(words, project)).toBeUndefined()
  })
})

describe('facts of the README', () => {
  it('lists the options that up has', () => {
    const [, table = ''] = /<!-- options:start -->\n\n([\s\S]*?)\n\n<!-- options:end -->/.exec(readme) ?? []
    expect(table, 'write it anew: node scripts/run.mjs scripts/readme-options.ts').toBe(optionsTable('up'))
  })

  it('names no flag that no command has', () => {
    const known = new Set([
      ...Object.values(commands).flatMap(({ flags }) =>
        Object.entries(flags).flatMap(([name, { alias }]) => [name, alias ?? name]),
      ),
      ...Object.keys(forwardFlags),
      ...Object.keys(diffFlags),
      ...Object.keys(e2eFlags),
    ])
    const ofCi = [...ci.matchAll(/^ +--([a-z-]+)\)/gm)].map(([, flag]) => flag)
    const others = ['resolve', 'kubeconfig', ...ofCi]
    const named = [...readme.matchAll(/(?<![\w-])--([a-z][a-z-]+)/g)].map(([, flag = '']) => flag)
    expect(named.filter((flag) => !known.has(flag) && !others.includes(flag))).toEqual([])
  })

  it('shows what up prints: its own words, and every path of the ingress', () => {
    const [, shown = ''] = /<!-- up-output:start -->\n\n```text\n([\s\S]*?)```/.exec(readme) ?? []
    const slate = readSlateContract()
    const objects = slate.routes.map(({ path: route, service }) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'x', namespace: slate.namespace },
      spec: {
        rules: [
          { host: slate.host, http: { paths: [{ path: route, backend: { service: { name: service } } }] } },
        ],
      },
    }))
    const text = summaryText({
      type: 'result',
      command: 'up',
      cluster: 'local-cloud',
      changed: true,
      ms: 1,
      kubeconfig: 'CHECKOUT/.local-cloud/clusters/local-cloud/kubeconfig',
      urls: servedUrls(objects, { httpPort: 8080, listenAddress: '127.0.0.1' }),
      images: undefined,
      systems: [{ name: 'slate', environment: 'local', namespaces: [slate.namespace] }],
      notes: [],
    })
    expect(shown).toContain('ready after TIME.')
    expect(text.replace(/after [\d.]+ m?s\./, 'after TIME.')).toContain(shown.trimEnd())
  })

  it('links to files that are there, as the other documents do', () => {
    const documents = [
      'README.md',
      'docs/architecture.md',
      'docs/troubleshooting.md',
      ...readdirSync(path.join(repository, 'docs', 'how-to')).map((file) => `docs/how-to/${file}`),
    ]
    const broken = documents.flatMap((document) =>
      [...read(document).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)]
        .map(([, target = '']) => path.join(path.dirname(document), target))
        .filter((target) => !existsSync(path.join(repository, target)))
        .map((target) => `${document} → ${target}`),
    )
    expect(broken).toEqual([])
  })
})
