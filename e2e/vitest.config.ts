import path from 'node:path'
import { defineConfig } from 'vitest/config'
import { criteriaReport } from './criteria/criteria.ts'
import { attach, choiceFromEnvironment } from './harness/cluster.ts'
import { profileOf } from './harness/profile.ts'
import { runId } from './harness/run-id.ts'
import { refersTo } from './harness/reference.ts'
import { mutationOf } from './mutations/changed.ts'
import { describeEnvironment } from './report/environment.ts'
import { reportTo } from './report/reporter.ts'
import { reportVariable } from './report/run-report.ts'
import { DeclaredOrder } from './run/declared-order.ts'
import { fileOf, laneOf, refusedOnShared, suites, type Lane } from './suites.ts'

const choice = choiceFromEnvironment()
const profile = profileOf()
const shared = profile === 'shared'

/** Suites that run beside each other; with six two processors are busy nine tenths of the time, and nothing is gained by more. */
const atOnce = 6

const lane = (name: Lane, groupOrder: number, maxWorkers: number) => ({
  extends: true as const,
  test: {
    name,
    include: suites.filter((suite) => laneOf(suite, profile) === name).map((suite) => fileOf(suite.name)),
    maxWorkers,
    sequence: { groupOrder },
  },
})

/** The suites that need a cluster; `npm run e2e` prepares it and runs vitest with this file. */
export default defineConfig({
  test: {
    // One worker in group 0 would run last: vitest takes that for no order at all.
    projects: [lane('first', 1, 1), lane('together', 2, atOnce), lane('alone', 3, 1)],
    sequence: { sequencer: DeclaredOrder },
    // Threads hear no signal of the terminal: the run ends in good order when it is interrupted.
    pool: 'threads',
    // Suites share the modules of the harness; each is loaded once for a worker.
    isolate: false,
    // No blind retry: a test that passes only the second time is not green.
    retry: 0,
    // Every wait has a deadline of its own; this is for their sum, with the namespaces going.
    testTimeout: 420_000,
    hookTimeout: 420_000,
    teardownTimeout: 60_000,
    setupFiles: ['harness/evidence-on-failure.ts'],
    runner: shared ? 'run/shared-runner.ts' : 'run/turn-runner.ts',
    reporters: [
      reportTo({
        directory: process.env[reportVariable] ?? path.join(choice.paths.stateDir, 'e2e-report'),
        runId: runId(),
        environment: async () => {
          const signal = AbortSignal.timeout(15_000)
          return describeEnvironment(await attach(choice, signal), signal)
        },
        criteria: criteriaReport,
        ...(shared ? { refused: (test) => refusedOnShared(test) } : {}),
        meantToFail: (test) => {
          const mutation = mutationOf()
          return mutation !== undefined && refersTo(mutation.caughtBy, test)
        },
        print: (line) => {
          process.stderr.write(`${line}\n`)
        },
      }),
    ],
  },
})
