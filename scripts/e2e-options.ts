import path from 'node:path'
import { parseArgs } from 'node:util'
import { clusterName } from '../bootstrap/plan/cluster-name.ts'
import { profiles, type Profile } from '../e2e/harness/profile.ts'
import { refersTo, suiteOf } from '../e2e/harness/reference.ts'
import type { Suite } from '../e2e/suites.ts'

/** What to do. */
export type E2eAction = 'run' | 'list' | 'summary' | 'help'

export interface E2eOptions {
  action: E2eAction
  profile: Profile
  /** Names of suites, the canaries first where they are needed. */
  suites: string[]
  /** Systems whose suites alone were asked for; absent when nobody asked for some. */
  systems?: string[]
  /** Pattern for titles, as vitest takes it. */
  test?: string
  /** References to tests, or ids of criteria; empty for everything. */
  only: string[]
  name: string
  provider?: string
  /** Context and kubeconfig of an existing cluster, for the `up` that puts the system there. */
  context?: string
  kubeconfig?: string
  stateDir?: string
  /** Where the report goes; default `<state directory>/e2e-report`. */
  reportDir?: string
  allowForeign: boolean
  ingressUrl?: string
  /** Whether a cluster is made when there is none. */
  up: boolean
  /** Whether what the tests make stays. */
  keep: boolean
  /** Whether the list is for machines. */
  json: boolean
}

export const help = `Proves on a running cluster what its systems promise, and makes a cluster first if there is none.

Usage: npm run e2e -- [flags]

What runs:
  --profile NAME      quick (default): every promise, windows of time shortened on copies; full: the originals, at their own pace;
                      shared: quick without what is not safe where others work, and the only one on an existing cluster
  --suite NAME        only this suite, of either profile (repeatable); some run only when they are named: see --list
  --system NAME       only suites about this system (repeatable); a cluster that is made for the run gets it. Without it those about the
                      systems that are on the cluster
  --only WHAT         only a criterion of the specification (SC-2), or tests by reference (slate-access: roles); repeatable
  --test PATTERN      only tests whose title matches
  --list              print suites, tests and criteria, and run nothing; takes the flags above
  --json              with --list: as JSON
  --summary           print what the last run found, and run nothing

Where:
  --name NAME         name of the cluster (default: local-cloud)
  --provider NAME     what must have made the cluster, and makes it if there is none (kind, k3s), or existing: see --context
  --context NAME      with --provider existing: context of the kubeconfig that leads to the cluster
  --kubeconfig FILE   with --provider existing: kubeconfig that has the context (default: KUBECONFIG, else ~/.kube/config)
  --no-up             fail when there is no cluster instead of making one
  --allow-foreign     test a cluster of the state directory that local-cloud did not make; it is written to
  --ingress-url URL   where its ingress answers (default: as the cluster was made)
  --state-dir DIR     where the cluster's files are (default: .local-cloud in the checkout; LOCAL_CLOUD_STATE_DIR)
  --report-dir DIR    where the report goes (default: e2e-report in the state directory)
  --keep              leave the namespaces and pods of the tests on the cluster to look at
  --help              print this help

The verdicts are pass, fail, error (the check itself broke) and not proven (this environment cannot tell). The exit code is 1 when a test
failed or broke, 130 after Ctrl-C. The report is index.html (opens without a network), report.json, junit.xml, and a bundle of evidence for
every red test. npm run e2e:mutations proves the suites themselves.
`

const providers = ['kind', 'k3s', 'existing']

/** What the options may name. */
export interface Known {
  suites: readonly Suite[]
  /** Criterion → references to its tests. */
  criteria: ReadonlyMap<string, readonly string[]>
  /** Whether the cluster of that name is one on which others work. */
  isShared?: (name: string, stateDir: string | undefined) => boolean
  /** Systems on the cluster of that name; undefined where nobody knows, as before it is made. */
  systemsOn?: (name: string, stateDir: string | undefined) => string[] | undefined
}

/** What a cluster gets that is made for a run. */
const systemOfNewCluster = 'slate'

/** The flags, as node:util's parseArgs takes them. */
export const e2eFlags = {
  profile: { type: 'string' },
  suite: { type: 'string', multiple: true },
  system: { type: 'string', multiple: true },
  only: { type: 'string', multiple: true },
  test: { type: 'string' },
  list: { type: 'boolean', default: false },
  summary: { type: 'boolean', default: false },
  name: { type: 'string', default: 'local-cloud' },
  provider: { type: 'string' },
  context: { type: 'string' },
  kubeconfig: { type: 'string' },
  'state-dir': { type: 'string' },
  'report-dir': { type: 'string' },
  up: { type: 'boolean', default: true },
  'allow-foreign': { type: 'boolean', default: false },
  'ingress-url': { type: 'string' },
  keep: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

/** @throws Error with a sentence for the user when a flag, suite, system or criterion is not known. */
export function parseOptions(argv: readonly string[], known: Known): E2eOptions {
  const { values } = parseArgs({
    args: [...argv],
    allowNegative: true,
    options: e2eFlags,
  })
  if (values.provider !== undefined) oneOf('provider', values.provider, providers)
  if (!clusterName.test(values.name)) throw new Error(`--name ${values.name}: is no name of a cluster`)
  for (const flag of ['context', 'kubeconfig'] as const)
    if (values[flag] !== undefined && values.provider !== 'existing')
      throw new Error(`--${flag} says nothing without --provider existing`)
  const stateDir = values['state-dir'] === undefined ? undefined : path.resolve(values['state-dir'])
  const profile = profileFor(
    values.profile === undefined ? undefined : oneOf('profile', values.profile, profiles),
    values.provider === 'existing' || known.isShared?.(values.name, stateDir) === true,
  )
  const only = (values.only ?? []).flatMap((what) => referencesOf(what, known))
  // Of a criterion what is safe is run; who names one test means that one.
  const tests = (values.only ?? []).filter((what) => !known.criteria.has(what))
  if (profile === 'shared') refuseUnsafe(values.suite ?? [], tests, known.suites)
  return {
    action: values.help ? 'help' : values.list ? 'list' : values.summary ? 'summary' : 'run',
    profile,
    suites: chosen(
      profile,
      values,
      only,
      known.suites,
      () => known.systemsOn?.(values.name, stateDir) ?? [systemOfNewCluster],
    ),
    ...(values.system === undefined ? {} : { systems: values.system }),
    only,
    name: values.name,
    up: values.up,
    allowForeign: values['allow-foreign'],
    keep: values.keep,
    json: values.json,
    ...(values.test === undefined ? {} : { test: values.test }),
    ...(values.provider === undefined ? {} : { provider: values.provider }),
    ...(values.context === undefined ? {} : { context: values.context }),
    ...(values.kubeconfig === undefined ? {} : { kubeconfig: path.resolve(values.kubeconfig) }),
    ...(stateDir === undefined ? {} : { stateDir }),
    ...(values['report-dir'] === undefined ? {} : { reportDir: path.resolve(values['report-dir']) }),
    ...(values['ingress-url'] === undefined ? {} : { ingressUrl: values['ingress-url'] }),
  }
}

/** On a cluster on which others work there is one that is safe. @throws Error for any other there */
function profileFor(given: Profile | undefined, isShared: boolean): Profile {
  if (isShared && given !== undefined && given !== 'shared')
    throw new Error(
      `--profile ${given}: others work on this cluster, and only the profile shared is safe there; it is taken by itself`,
    )
  return given ?? (isShared ? 'shared' : 'quick')
}

function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found === undefined) throw new Error(`--${flag} ${value}: there is ${allowed.join(', ')}`)
  return found
}

/** A criterion's tests, or the reference itself. */
function referencesOf(what: string, { suites, criteria }: Known): readonly string[] {
  const tests = criteria.get(what)
  if (tests) return tests
  if (suites.some(({ name }) => what.startsWith(`${name}: `))) return [what]
  throw new Error(
    `--only ${what}: is neither a criterion (${[...criteria.keys()].join(', ')}) nor a test, as in "smoke: ingress"; see --list`,
  )
}

/** @throws Error that names what is not safe on a cluster on which others work, where somebody asks for just that */
function refuseUnsafe(named: readonly string[], only: readonly string[], suites: readonly Suite[]): void {
  const refuse = (flag: string, what: string, why: string): never => {
    throw new Error(`--${flag} ${what}: not on a shared cluster: ${why}`)
  }
  for (const { name, shared } of suites)
    if (typeof shared === 'string' && named.includes(name)) refuse('suite', name, shared)
  for (const reference of only) {
    const { shared = true } = suites.find(({ name }) => name === suiteOf(reference)) ?? {}
    if (typeof shared === 'string') refuse('only', reference, shared)
    if (typeof shared !== 'object') continue
    const unsafe = shared.find(({ test }) => meansOne(reference, `${suiteOf(reference)}: ${test}`))
    if (unsafe) refuse('only', reference, unsafe.why)
  }
}

/** Whether a reference means what `unsafe` means, or part of it: one below it, or the same test by the beginning of its title. */
function meansOne(reference: string, unsafe: string): boolean {
  const asTest = (one: string) => ({ suite: suiteOf(one), path: [one.slice(suiteOf(one).length + 2)] })
  const depth = (one: string): number => one.split(' › ').length
  return (
    refersTo(unsafe, asTest(reference)) ||
    (depth(reference) === depth(unsafe) && refersTo(reference, asTest(unsafe)))
  )
}

function chosen(
  profile: Profile,
  values: { suite?: string[]; system?: string[] },
  only: readonly string[],
  known: readonly Suite[],
  systemsThere: () => string[],
): string[] {
  for (const name of values.suite ?? [])
    if (!known.some((suite) => suite.name === name))
      throw new Error(
        `--suite ${name}: there is no such suite; there are ${known.map((suite) => suite.name).join(', ')}`,
      )
  const systems = values.system
  for (const name of systems ?? [])
    if (!known.some(({ system }) => system === name))
      throw new Error(
        `--system ${name}: no suite is about it; there is ${[...new Set(known.flatMap(({ system }) => system ?? []))].join(', ')}`,
      )
  const named = values.suite ?? (only.length > 0 ? [...new Set(only.map(suiteOf))] : undefined)
  const there = named === undefined && systems === undefined ? systemsThere() : undefined
  const isAsked = ({ system }: Suite): boolean => {
    if (systems !== undefined) return system !== undefined && systems.includes(system)
    // Of what is not on the cluster nothing is to be proven, unless somebody names it.
    return there === undefined || system === undefined || there.includes(system)
  }
  const picked = known.filter(
    (suite) =>
      (named === undefined
        ? suite.profile === 'quick' || suite.profile === profile
        : named.includes(suite.name)) && isAsked(suite),
  )
  if (picked.length === 0) throw new Error('These flags leave no suite to run; see --list')
  const canaries = picked.some((suite) => suite.canaries) ? known.filter(({ lane }) => lane === 'first') : []
  return [...new Set([...canaries, ...picked])].map(({ name }) => name)
}
