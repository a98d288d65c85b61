import { readdirSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'

export interface E2eOptions {
  /** Names of suites, files e2e/suites/NAME.e2e.test.ts. */
  suites: string[]
  /** Pattern for titles, as vitest takes it. */
  test?: string
  name: string
  stateDir?: string
  /** Where the report goes; default `<state directory>/e2e-report`. */
  reportDir?: string
  allowForeign: boolean
  ingressUrl?: string
  /** Whether a cluster is made when there is none. */
  up: boolean
}

/** Suites that destroy what is on the cluster before they make it again; they run only when they are named. */
export const onlyByName: readonly string[] = ['reset']

export const help = `Runs the end-to-end suites on a cluster, and makes one first if there is none.

Usage: npm run e2e -- [flags]

Flags:
  --suite NAME        only this suite, a file e2e/suites/NAME.e2e.test.ts (repeatable; default: all but ${onlyByName.join(', ')},
                      which deletes the system and its data and puts it there again)
  --test PATTERN      only tests whose title matches
  --name NAME         name of the cluster (default: local-cloud)
  --state-dir DIR     where the cluster's files are (default: .local-cloud in the checkout; LOCAL_CLOUD_STATE_DIR)
  --report-dir DIR    where the report goes (default: e2e-report in the state directory)
  --no-up             fail when there is no cluster instead of making one
  --allow-foreign     test a cluster of the state directory that local-cloud did not make; it is written to
  --ingress-url URL   where its ingress answers (default: as the cluster was made)
  --help              print this help

The verdicts are pass, fail, error (the check itself broke) and not proven (this environment cannot tell). The exit code is 1 when a test
failed or broke. The report is index.html, report.json and junit.xml.
`

/** Suites there are, by name. */
export const suitesIn = (folder: string): string[] =>
  readdirSync(folder)
    .flatMap((file) => (file.endsWith('.e2e.test.ts') ? [path.basename(file, '.e2e.test.ts')] : []))
    .sort()

/** @throws Error with a sentence for the user when a flag or suite is not known. */
export function parseOptions(argv: readonly string[], known: readonly string[]): E2eOptions | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    allowNegative: true,
    options: {
      suite: { type: 'string', multiple: true },
      test: { type: 'string' },
      name: { type: 'string', default: 'local-cloud' },
      'state-dir': { type: 'string' },
      'report-dir': { type: 'string' },
      up: { type: 'boolean', default: true },
      'allow-foreign': { type: 'boolean', default: false },
      'ingress-url': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const suites = values.suite ?? known.filter((suite) => !onlyByName.includes(suite))
  const unknown = suites.find((suite) => !known.includes(suite))
  if (unknown !== undefined)
    throw new Error(`--suite ${unknown}: there is no such suite; there are ${known.join(', ')}`)
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(values.name))
    throw new Error(`--name ${values.name}: is no name of a cluster`)
  return {
    suites,
    name: values.name,
    up: values.up,
    allowForeign: values['allow-foreign'],
    ...(values.test === undefined ? {} : { test: values.test }),
    ...(values['state-dir'] === undefined ? {} : { stateDir: path.resolve(values['state-dir']) }),
    ...(values['report-dir'] === undefined ? {} : { reportDir: path.resolve(values['report-dir']) }),
    ...(values['ingress-url'] === undefined ? {} : { ingressUrl: values['ingress-url'] }),
  }
}
