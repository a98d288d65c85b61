/**
 * What a suite of your own needs: attach to a cluster, make things that go away again, look and wait, assert absences with their
 * controls, and tell the report. docs/how-to/prove-your-own-system.md shows it at work.
 */
export { attach, choiceFromEnvironment, type Cluster, type ClusterChoice } from './cluster.ts'
export { requireCanary, type CanaryName } from './canaries.ts'
export { assertNegative, type Check, type NegativeAssertion } from './controls.ts'
export { consistently } from './consistently.ts'
export { eventually } from './eventually.ts'
export { stableFor } from './stable-for.ts'
export type { Look, Looker, Pace } from './look.ts'
export { createNamespace, type NamespaceOptions, type TestNamespace } from './namespace.ts'
export { probePort, startProbePod, type ProbePod, type ProbePodOptions } from './probe-pod.ts'
export type { ConnectKind, ConnectOutcome, PodHttpOutcome } from './probe-script.ts'
export { describeHttp, request, type HttpOutcome } from './http-client.ts'
export {
  recordOf,
  type ControlRecord,
  type MatrixRecord,
  type SeriesRecord,
  type TestRecord,
} from './record.ts'
export { profileOf, type Profile } from './profile.ts'
export { runLabel } from './run-id.ts'
export { CheckBroke, ExpectationFailed, NotProven, type Verdict } from './verdict.ts'
export { reportTo, type ReporterOptions } from '../report/reporter.ts'
export { describeEnvironment } from '../report/environment.ts'
