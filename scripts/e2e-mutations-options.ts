import path from 'node:path'
import { parseArgs } from 'node:util'
import { clusterName } from '../bootstrap/plan/cluster-name.ts'
import type { Mutation } from '../e2e/mutations/mutation.ts'

export const help = `Proves the end-to-end suites themselves: changes the manifests on the running cluster, one change at a time, and requires that
exactly the test which the change names fails while its neighbours stay green. Every change is taken back.

Usage: npm run e2e:mutations -- [flags]

Flags:
  --only NAME         only this change (repeatable); see --list
  --one-of-each-kind  one change of each kind of object, as a sample
  --list              print the changes and the tests that must catch them, and change nothing
  --name NAME         name of the cluster (default: local-cloud); it must be there, with SLATE
  --state-dir DIR     where the cluster's files are (default: .local-cloud in the checkout; LOCAL_CLOUD_STATE_DIR)
  --help              print this help

The exit code is 1 unless every change was caught. The results are mutations.json in e2e-mutations in the state directory; the report of
the next npm run e2e shows them.
`

export interface MutationOptions {
  action: 'run' | 'list' | 'help'
  /** The changes to make, in order. */
  chosen: readonly Mutation[]
  name: string
  stateDir?: string
}

/** @throws Error with a sentence for the user when a flag or mutation is not known */
export function parseMutationOptions(
  argv: readonly string[],
  mutations: readonly Mutation[],
): MutationOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', multiple: true },
      'one-of-each-kind': { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      name: { type: 'string', default: 'local-cloud' },
      'state-dir': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (!clusterName.test(values.name)) throw new Error(`--name ${values.name}: is no name of a cluster`)
  for (const name of values.only ?? [])
    if (!mutations.some((one) => one.name === name))
      throw new Error(`--only ${name}: there is no such change; see --list`)
  return {
    action: values.help ? 'help' : values.list ? 'list' : 'run',
    chosen: values['one-of-each-kind']
      ? oneOfEachKind(mutations)
      : mutations.filter(({ name }) => values.only?.includes(name) ?? true),
    name: values.name,
    ...(values['state-dir'] === undefined ? {} : { stateDir: path.resolve(values['state-dir']) }),
  }
}

/** The first change of each kind of object. */
function oneOfEachKind(mutations: readonly Mutation[]): Mutation[] {
  const byKind = Map.groupBy(mutations, ({ object }) => object.split('/')[0])
  return [...byKind.values()].flatMap(([first]) => first ?? [])
}
