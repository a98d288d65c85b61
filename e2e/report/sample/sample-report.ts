import type { MatrixCell, MatrixRecord, SeriesRecord, TestRecord } from '../../harness/record.ts'
import type { Verdict } from '../../harness/verdict.ts'
import { testName, totalsOf, type CriterionReport, type RunReport, type TestReport } from '../run-report.ts'

/** When the sample run began. */
export const sampleStart = Date.parse('2026-03-04T09:15:02.000Z')

/** Text that must come out as text, wherever it stands. */
export const evil = `<script>alert("1")</script> & 'quoted' <img src=x onerror=alert(2)> \u001b[31mred\u001b[0m`

/** A report as a long run leaves it: every verdict, long titles, hostile text, two wrong squares, a scaling from 2 to 6 and back. */
export function sampleReport(tests = 200): RunReport {
  const all = [...Array.from({ length: tests }, (_, index) => sampleTest(index))]
  return {
    format: 'local-cloud-e2e-report/1',
    runId: 'tgd03q-52a0c1',
    profile: 'quick',
    startedAt: new Date(sampleStart).toISOString(),
    durationMs:
      Math.max(...all.map((test) => Date.parse(test.startedAt) - sampleStart + test.durationMs), 0) + 2_000,
    environment: environment(),
    totals: totalsOf(all),
    criteria: criteria(all),
    tests: all,
  }
}

const suiteNames = [
  'smoke',
  'slate-reachability',
  'slate-autoscaling',
  'slate-jobs',
  'slate-storage',
  'slate-rollout',
  'slate-limits-and-quotas-with-a-long-name',
  'slate-ingress',
  'slate-gpu',
]

const titles = [
  'every path answers with the identity of the expected Service’s pod, three times in a row',
  'a pod without the label is refused',
  'the claim is Pending before a consumer and Bound after',
  'broken readiness leaves the EndpointSlice without a restart and without a failed client request, while constant requests go through the Service and a second client, whose connections are kept alive, counts those that are answered by the pod that should no longer get any',
  'survives',
  'the first object over the limit is refused with the name of the quota, and the number in use falls again when another one goes',
]

/** Reproducible, but without a pattern that the eye would see. */
const noise = (seed: number): number => Math.abs(Math.sin(seed * 12.9898 + 4.1) * 43_758.5453) % 1

const verdictOf = (index: number): Verdict =>
  index === 17 || index === 111 ? 'fail' : index === 58 ? 'error' : index % 9 === 8 ? 'not-proven' : 'pass'

/** Suites run beside each other, four at a time; within the second one tests do, too. */
function sampleTest(index: number): TestReport {
  const lane = index % suiteNames.length
  const turn = Math.floor(index / suiteNames.length)
  const length = Math.round(400 + 22_000 * noise(index) ** 4)
  const start =
    sampleStart +
    1_500 +
    (lane >= 4 ? 40_000 : 0) +
    turn * (lane === 1 ? 2_500 : 7_000) +
    Math.round(900 * noise(index + 7))
  const verdict = verdictOf(index)
  return {
    suite: suiteNames[lane] ?? '',
    path: ['SLATE', index === 4 ? evil : `${titles[index % titles.length] ?? ''} (${String(index)})`],
    verdict,
    startedAt: new Date(start).toISOString(),
    durationMs: lane === 1 ? length : Math.min(length, 6_500),
    reasons: reasonsFor(verdict, index),
    record: recordFor(index, verdict),
  }
}

function reasonsFor(verdict: Verdict, index: number): TestReport['reasons'] {
  if (verdict === 'pass') return []
  if (verdict === 'not-proven') {
    return [
      {
        name: 'NotProven',
        message:
          index % 2 === 0 ? 'This cluster has no GPU.' : 'This cluster has one node; a drain needs two.',
      },
    ]
  }
  if (verdict === 'error') {
    return [
      {
        name: 'CheckBroke',
        message: `exec in slate/slate-core-5879dd9855-dhgd2 failed: ${evil}`,
        stack: `CheckBroke: exec failed\n    at ${evil}`,
      },
      { name: 'Error', message: 'the namespace e2e-probe-1 could not be deleted in time' },
    ]
  }
  return [
    {
      name: 'ExpectationFailed',
      message:
        'slate-dashboard has 2 ready pods and 3 endpoints: not as wanted for 20.0 s; last seen: 10.244.0.14, 10.244.0.15, 10.244.0.31\n- Expected\n+ Received\n-   "endpoints": 2,\n+   "endpoints": 3,',
      stack:
        'ExpectationFailed: …\n    at eventually (e2e/harness/eventually.ts:40:11)\n    at e2e/suites/slate-rollout.e2e.test.ts:120:5',
    },
  ]
}

function recordFor(index: number, verdict: Verdict): TestRecord {
  return {
    facts:
      index % 3 === 0
        ? [
            { name: 'pods', value: 'slate-dashboard-744fd4d4ff-7t94q, slate-dashboard-744fd4d4ff-qtvpx' },
            { name: 'requests', value: `${String(400 + index)} sent, 0 lost` },
          ]
        : [],
    controls:
      index % 5 === 1
        ? [
            {
              negative: { title: 'the pod outside reaches the dashboard', seen: 'timeout' },
              cause: 'NetworkPolicy deny-all',
              onsetMs: 412,
              heldMs: 3_020,
              before: { title: 'the pod outside reaches the dashboard', seen: 'connected' },
              beside: { title: 'a pod inside reaches it', seen: 'connected' },
              after: {
                title: 'the pod outside reaches the dashboard',
                ...(verdict === 'error' ? {} : { seen: 'connected' }),
              },
            },
          ]
        : [],
    ...(index === 1 ? { matrices: [sampleMatrix()] } : {}),
    ...(index === 10 ? { matrices: [sparseMatrix()] } : {}),
    ...(index === 2 ? { series: sampleSeries() } : {}),
    ...(verdict === 'fail' || verdict === 'error'
      ? {
          evidence: [
            `evidence/${String(index)}/objects.yaml`,
            `evidence/${String(index)}/events & more.txt`,
            '../outside',
            'javascript:alert(1)',
          ],
        }
      : {}),
  }
}

const workloads = [
  'slate-dashboard',
  'slate-agent-router',
  'slate-autonomous-loop',
  'slate-copilot-bridge',
  'slate-workflow-manager',
  'slate-core',
  'ollama',
  'chromadb',
]

/** Who may reach whom; of a matrix of full size two squares are wrong, one each way. */
export function sampleMatrix(rows = 16, columns = 20): MatrixRecord {
  const sources = Array.from(
    { length: rows },
    (_, index) => `${workloads[index % 8] ?? ''}${index >= 8 ? ' (job)' : ''}`,
  )
  const targets = Array.from(
    { length: columns },
    (_, index) => `${workloads[index % 8] ?? ''}:${String([8080, 9090, 11434][Math.floor(index / 8)])}`,
  )
  const cells = sources.flatMap((row, r) =>
    targets.map((column, c): MatrixCell => {
      const expected = (r * 3 + c * 5) % 7 < 3 && c < 16 ? 'open' : 'closed'
      const ok = !(r === 2 && c === 17) && !(r === 9 && c === 3)
      return {
        row,
        column,
        stated: expected,
        expected,
        measured: (expected === 'open') === ok ? 'connected' : 'timeout',
        ok,
        control: 'slate-core connected to it in the same pass',
        command: `kubectl --context kind-local-cloud -n slate exec deploy/${row.split(' ')[0] ?? ''} -- node -e "require('net').connect({host:'${column.split(':')[0] ?? ''}',port:${column.split(':')[1] ?? ''}}).on('connect',()=>console.log('connected'))"`,
      }
    }),
  )
  return { title: 'SLATE within its namespace', rows: sources, columns: targets, cells }
}

/** With holes, one square that the policies and the specification see differently, and one where that is as decided. */
function sparseMatrix(): MatrixRecord {
  const { rows, columns, cells } = sampleMatrix(6, 9)
  return {
    title: 'From outside the namespace',
    rows,
    columns,
    cells: cells
      .filter((_, place) => place % 7 !== 3)
      .map((cell, place) =>
        place === 20 || place === 30
          ? { ...cell, stated: cell.expected === 'open' ? 'closed' : 'open', ok: place === 30 }
          : cell,
      ),
  }
}

/** A load that drives the dashboard from 2 replicas to 6 and, after a quiet time, back. */
export function sampleSeries(): SeriesRecord[] {
  const at = (seconds: number): number => sampleStart + 20_000 + seconds * 1000
  const marks = [
    { atMs: at(45), text: 'load begins' },
    { atMs: at(120), text: 'twice the load' },
    { atMs: at(210), text: 'load stops' },
  ]
  const utilisation = Array.from({ length: 35 }, (_, index): [number, number] => {
    const second = index * 15
    return [
      at(second),
      Math.round(
        second < 45
          ? 6
          : second < 210
            ? 260 - second * 0.6 + 20 * noise(index)
            : Math.max(5, 130 - (second - 210)),
      ),
    ]
  })
  return [
    {
      title: 'slate-dashboard',
      unit: 'replicas',
      lines: [
        {
          name: 'desired',
          step: true,
          points: [
            [at(0), 2],
            [at(61), 4],
            [at(121), 6],
            [at(330), 4],
            [at(450), 2],
          ],
        },
        {
          name: 'ready',
          step: true,
          points: [
            [at(0), 2],
            [at(66), 4],
            [at(127), 6],
            [at(331), 4],
            [at(451), 2],
          ],
        },
      ],
      limits: [
        { name: 'minimum', value: 2 },
        { name: 'maximum', value: 6 },
      ],
      marks,
    },
    {
      title: 'CPU of slate-dashboard',
      unit: '% of the request',
      lines: [{ name: 'utilisation', points: utilisation }],
      limits: [{ name: 'target', value: 70 }],
      marks: [],
    },
  ]
}

function criteria(tests: readonly TestReport[]): CriterionReport[] {
  const names = (from: number, count: number): string[] => tests.slice(from, from + count).map(testName)
  const source = 'slate-018-kubernetes-infrastructure, Success Criteria'
  const seen = ['reachable: connected → NetworkPolicy deny-all: timeout, held 3.0 s → connected']
  return [
    {
      id: 'C1',
      text: 'All 7 deployments running',
      source,
      verdict: 'pass',
      why: '4 tests pass, both mutations are caught.',
      tests: names(0, 4),
      controls: [],
      mutations: [
        { name: 'no-replicas', caught: true },
        { name: 'wrong-image', caught: true },
      ],
    },
    {
      id: 'C2',
      text: 'Network isolation enforced: Only allowed traffic flows between pods',
      source,
      verdict: 'fail',
      why: 'slate-reachability: SLATE › a pod without the label is refused (1) sees two squares that are not as expected.',
      tests: names(1, 9),
      controls: [...seen, ...seen, evil],
      mutations: [
        { name: 'drop-default-deny', caught: true },
        { name: 'widen-egress', caught: false },
        { name: 'drop-dns' },
      ],
    },
    {
      id: 'C3',
      text: 'GPU scheduling operational',
      source,
      verdict: 'not-proven',
      why: 'This cluster has no GPU.',
      tests: names(8, 1),
      controls: [],
      mutations: [{ name: 'no-gpu-request' }],
    },
    {
      id: 'C4',
      text: evil,
      source,
      verdict: 'error',
      why: 'The check itself broke.',
      tests: [...names(58, 1), 'slate-drain: a test › that was renamed'],
      controls: seen,
      mutations: [],
    },
    {
      id: 'A-17',
      text: 'A criterion whose text goes on and on, because the specification explains in the same sentence what it means by it, when it applies, when it does not, and what has to be done then by whom',
      source: 'slate-deployment-guide, Verification',
      verdict: 'pass',
      why: '',
      tests: names(30, 3),
      controls: seen,
      mutations: [{ name: 'one-more' }],
    },
  ]
}

const environment = (): RunReport['environment'] => [
  { group: 'Cluster', name: 'name', value: 'local-cloud (context kind-local-cloud)' },
  { group: 'Cluster', name: 'provider', value: 'kind' },
  { group: 'Cluster', name: 'Kubernetes', value: 'v1.36.4' },
  {
    group: 'Cluster',
    name: 'add-ons',
    value: 'cilium v1.19.5, coredns v1.14.2, local-path v0.0.30, metrics-server v0.9.0, traefik v3.7.11',
  },
  { group: 'Tiers', name: 'GPU', value: 'none' },
  { group: 'Machine', name: 'CPU', value: '2 cores' },
  { group: 'Machine', name: 'control groups', value: 'v2' },
  {
    group: 'Adaptations to this host',
    name: 'restrict-oom-scores',
    value: 'This host lacks CAP_SYS_RESOURCE: containers in the nodes keep their inherited OOM scores.',
  },
  ...[
    'docker.io/library/slate:local',
    'docker.io/ollama/ollama:0.17.4',
    'docker.io/chromadb/chroma:1.0.0',
  ].map((name, index) => ({
    group: 'Images running in slate',
    name,
    value: `sha256:1b1bd4c8df5310c29e2bf996677a5794f1cbf3fbf9ad5b01c905611953f73ac${String(index)} (${String(index * 3 + 1)} containers)`,
  })),
]
