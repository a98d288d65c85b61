import type { Profile } from './harness/profile.ts'
import { refersTo } from './harness/reference.ts'

/** When a suite may run: `first` before all others, `together` beside others, `alone` because it loads or disturbs the cluster. */
export type Lane = 'first' | 'together' | 'alone'

/** A test that is no good on a cluster on which others work, by reference (harness/reference.ts) without the suite, and why. */
export interface UnsafeTest {
  test: string
  why: string
}

/** One file e2e/suites/NAME.e2e.test.ts. */
export interface Suite {
  name: string
  /** What it proves, in a line for `--list`. */
  about: string
  /** The system it is about; absent when it holds for every cluster. */
  system?: string
  lane: Lane
  /** Its lane in the profile `full`, where that is another. */
  laneAtLength?: Lane
  /**
   * Whether its tests run also while another suite loads the cluster (`whileQuiet`): they wait for a clock or ask the API, neither hurry nor
   * compute. Others of the lane `together` wait for the end of the load. The suite that loads says so as well, or it would wait for itself.
   */
  duringLoad?: true
  /** The smallest profile it belongs to; `named` runs only when somebody asks for it. */
  profile: 'quick' | 'full' | 'named'
  /**
   * What of it may run on a cluster on which others work: all of it, nothing and why, or all but some tests. Not safe is what runs in nodes,
   * cordons or fills them, breaks or restarts what others use, writes to objects that are not ours, or takes others' work for its own.
   */
  shared: true | string | readonly UnsafeTest[]
  /** Whether its tests ask for canaries (`requireCanary`), which then run before it. */
  canaries: boolean
}

const slate = { system: 'slate', lane: 'together', profile: 'quick', shared: true, canaries: true } as const
/** Of SLATE, and not disturbed by load. */
const waiting = { ...slate, duringLoad: true } as const
const slateAtLength = { ...slate, profile: 'full', canaries: false } as const

const zones = { system: 'zones', lane: 'together', profile: 'quick', shared: true, canaries: false } as const

/** Why what asks a machine outside the cluster, or a pod that has no client, cannot be tried where nodes are not ours. */
const outsideHost = 'it puts a machine on the network of the nodes and routes into them'

/**
 * Every suite there is, in the order in which those of a lane begin. First what takes long before the load of slate-autoscaling begins, then
 * what runs beside it, then what waits for its end; of each the longest first.
 */
export const suites: readonly Suite[] = [
  {
    name: 'canary',
    about: 'what the other suites stand on: enforcement, DNS, storage, metrics, ingress, GPU',
    lane: 'first',
    profile: 'quick',
    shared: true,
    canaries: false,
  },
  {
    ...slate,
    name: 'slate-autoscaling',
    about: 'autoscalers under real load, to the maximum and back',
    laneAtLength: 'alone',
    duringLoad: true,
    shared: [
      { test: 'at work', why: 'it loads the nodes for minutes, until every autoscaler is at its maximum' },
    ],
  },
  {
    ...waiting,
    name: 'slate-job-rules',
    about: 'overlap, suspension, late starts and time zone of CronJobs',
  },
  { ...slate, name: 'slate-jobs', about: 'every CronJob by hand, and what it leaves', canaries: false },
  { ...slate, name: 'slate-preload', about: 'the preload Job: waits, makes the models, retries, goes away' },
  { ...slate, name: 'slate-probes', about: 'health probes: what they say, and what they do' },
  { ...slate, name: 'slate-storage', about: 'claims, volumes, bytes that survive a pod' },
  { ...waiting, name: 'slate-websocket', about: 'a WebSocket that is silent while routes come and go' },
  { ...waiting, name: 'slate-job-limits', about: 'deadline, retries and history of scheduled runs' },
  { ...waiting, name: 'slate-configuration', about: 'ConfigMaps, Secrets and what reaches the containers' },
  { ...waiting, name: 'slate-access', about: 'what each ServiceAccount may do, and nothing else' },
  { ...waiting, name: 'slate-discovery', about: 'Services, endpoints, names, metrics' },
  { ...waiting, name: 'slate-pod-security', about: 'what pods may be, and the rights of those that run' },
  { ...slate, name: 'slate-schedules', about: 'CronJobs run when they should' },
  { ...slate, name: 'slate-policies', about: 'policies as objects, coming and going, and as generated' },
  { ...slate, name: 'slate-rollout', about: 'rolling updates without a lost request, rollback' },
  {
    name: 'smoke',
    about: 'SLATE and every add-on answer',
    lane: 'together',
    profile: 'quick',
    shared: true,
    canaries: false,
  },
  {
    ...slate,
    name: 'slate-reachability',
    about: 'who may reach whom: stated, computed and measured',
    shared: [
      {
        test: 'who reaches whom › the ingress controller reaches the routed services',
        why: 'it enters the network of the ingress controller from its node',
      },
      { test: 'who reaches whom › a machine outside the cluster reaches the dashboard', why: outsideHost },
      { test: "who reaches whom › outside of the cluster SLATE's own services reach", why: outsideHost },
      { test: 'pods that are seldom there › a pod of the job', why: outsideHost },
    ],
  },
  { ...slate, name: 'slate-ingress', about: 'what each annotation of the ingress does' },
  {
    ...slate,
    name: 'slate-disruption',
    about: 'disruption budgets, drain, topology spread',
    shared: [
      {
        test: 'several nodes › a drained node gives its pods to another one',
        why: 'it cordons a node, so that pods of others find no place there',
      },
    ],
  },
  {
    ...slate,
    name: 'slate-limits',
    about: 'quota, limit range, priorities',
    shared: [
      {
        test: 'priority › a GPU workload displaces a standard one',
        why: 'it writes a resource of its own into the status of a node',
      },
    ],
  },
  { ...slate, name: 'slate-routing', about: 'edges of the ingress paths, methods, hosts' },
  { ...slate, name: 'slate-gpu', about: 'who of SLATE has a GPU, and who has none' },
  {
    ...zones,
    name: 'zones-access',
    about: 'who reaches whom between the zones, from the first instant on; a task that crosses them',
    canaries: true,
    shared: [
      {
        test: 'a task › fails when a policy closes the way to the brain',
        why: 'it closes the way of the system that is there for a while',
      },
      { test: 'who reaches whom › the orchestrator alone', why: outsideHost },
      { test: 'who reaches whom › no policy of a namespace', why: 'it makes a policy for nodes' },
    ],
  },
  { ...zones, name: 'zones-startup', about: 'budgets of the probes, within and beyond, quality of service' },
  { ...zones, name: 'zones-isolation', about: 'the sandbox of the agents against twins without it' },
  { ...zones, name: 'zones-model-server', about: 'what the brain serves, and that it says what it is' },
  { ...zones, name: 'zones-volumes', about: 'models and prompts: read-only, the same for several pods' },
  { ...zones, name: 'zones-document', about: "the document's own commands for looking" },
  {
    ...zones,
    name: 'zones-monitoring',
    about: 'what Prometheus sees of both zones, its rules, and each alert after its cause',
    lane: 'alone',
    shared: 'it stops the model server of the system that is there and has Prometheus judge by other values',
  },
  {
    ...zones,
    name: 'zones-failover',
    about: 'one model server after another, never two, and no task lost',
    lane: 'alone',
    shared: 'it stops and starts the model servers of the system that is there',
  },
  {
    ...zones,
    name: 'zones-gpu',
    about: 'both GPUs are the brain’s, a third pod waits for them, and the hands see none',
    lane: 'alone',
    shared: 'it stops the model server of the system that is there and takes its GPUs',
  },
  {
    name: 'gpu',
    about: 'allocation, isolation and health of GPUs, on the tier that the cluster has',
    lane: 'alone',
    profile: 'quick',
    shared: 'it takes every GPU, restarts the device plugin and works in nodes',
    canaries: true,
  },
  {
    name: 'gpu-real',
    about: 'what only a real card can prove: its identity, CUDA, Ollama on it',
    lane: 'alone',
    profile: 'quick',
    shared: 'it takes GPUs that others may be waiting for',
    canaries: true,
  },
  {
    name: 'gpu-changes',
    about: 'GPUs shared, handed out otherwise, and back, on the running cluster',
    lane: 'alone',
    profile: 'full',
    shared: 'it gives nodes other GPUs and restarts the device plugin',
    canaries: true,
  },
  {
    name: 'gvisor',
    about: 'pods in gVisor beside twins outside: kernel, rights, network, probes, volumes, end',
    lane: 'alone',
    profile: 'quick',
    shared: 'it works in nodes and restarts containerd',
    canaries: true,
  },
  {
    ...slateAtLength,
    name: 'slate-environments',
    about: 'dev, staging and prod as the API server judges them',
  },
  { ...slateAtLength, name: 'slate-dashboard', about: 'the dashboard in a browser', lane: 'alone' },
  { ...slateAtLength, name: 'forward', about: 'npm run slate:forward', lane: 'alone' },
  {
    ...slateAtLength,
    name: 'troubleshooting',
    about: 'each case of the guide, and its remedy',
    lane: 'alone',
    shared: 'it breaks the system on which others may rely, makes volumes on nodes and takes their memory',
  },
  {
    ...slateAtLength,
    name: 'chart',
    about: 'the Helm chart: install, upgrade, rollback, uninstall',
    lane: 'alone',
    shared: 'it puts a second SLATE with objects of the whole cluster beside the first',
  },
  {
    name: 'examples',
    about: 'the suite of a foreign system in examples/, made with the harness',
    lane: 'together',
    profile: 'full',
    shared: true,
    canaries: false,
  },
  {
    name: 'second-up',
    about: 'a second `up` changes nothing',
    lane: 'alone',
    profile: 'full',
    shared: 'it compares every object of the cluster, which others change meanwhile',
    canaries: false,
  },
  {
    name: 'addons',
    about: 'the probe of every add-on sees it break',
    lane: 'alone',
    profile: 'named',
    shared: 'it breaks every add-on that others use',
    canaries: false,
  },
  {
    name: 'honesty',
    about: 'the suite on a cluster that is broken on purpose',
    lane: 'alone',
    profile: 'named',
    shared: 'it breaks the network of the cluster',
    canaries: false,
  },
  {
    ...slate,
    name: 'reset',
    about: 'deletes SLATE with its data, and puts it there again',
    lane: 'alone',
    profile: 'named',
    shared: 'it deletes a system with its data, on which others may rely',
    canaries: false,
  },
]

/** File of a suite, relative to e2e/. */
export const fileOf = (suite: string): string => `suites/${suite}.e2e.test.ts`

/** Where a suite runs in a profile. */
export const laneOf = ({ lane, laneAtLength = lane }: Suite, profile: Profile): Lane =>
  profile === 'full' ? laneAtLength : lane

/** Whether tests of a suite wait while another suite loads the cluster. */
export function mindsLoad(suite: string, all: readonly Suite[] = suites): boolean {
  const { lane, duringLoad } = all.find(({ name }) => name === suite) ?? {}
  return lane === 'together' && duringLoad === undefined
}

/** Why a test is not run on a cluster on which others work; undefined where it is. */
export function refusedOnShared(
  { suite, path }: { suite: string; path: readonly string[] },
  all: readonly Suite[] = suites,
): string | undefined {
  const { shared = true } = all.find(({ name }) => name === suite) ?? {}
  if (shared === true) return undefined
  const why =
    typeof shared === 'string'
      ? shared
      : shared.find(({ test }) => refersTo(`${suite}: ${test}`, { suite, path: [...path] }))?.why
  return why === undefined ? undefined : `not run on a shared cluster: ${why}`
}
