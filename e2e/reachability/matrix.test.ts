import { describe, expect, it } from 'vitest'
import type { TestRecord } from '../harness/record.ts'
import type { Outcome } from './client.ts'
import type { PodEnd } from './ends.ts'
import { isAs, requireMatrix, type Target } from './matrix.ts'
import type { Source } from './source.ts'
import type { StatedNetwork } from './stated.ts'

const pod = (name: string, namespace = 'slate'): PodEnd => ({
  kind: 'pod',
  namespace,
  name,
  labels: { app: name },
})

/** Somebody who sees these outcomes, by address; one for all passes, or one per pass. */
const source = (name: string, sees: Record<string, Outcome | Outcome[]>, namespace?: string): Source => ({
  name,
  end: pod(name, namespace),
  stated: pod(name, namespace),
  prefix: `kubectl exec ${name} --`,
  run: (argv) => {
    const addresses = argv.slice(5).map((dial) => dial.split('/')[1] ?? '')
    const seen = (address: string, pass: number): Outcome => {
      const list = [sees[address] ?? 'timeout'].flat()
      return list[pass % list.length] ?? 'timeout'
    }
    const lines = [0, 1, 2].map((pass) =>
      [String(pass), ...addresses.map((one) => seen(one, pass))].join('\t'),
    )
    return Promise.resolve({ exitCode: 0, stdout: `${lines.join('\n')}\nlocal-cloud-dial-end\n`, stderr: '' })
  },
})
const alive = source('witness', { server: 'connected', closed: 'connected', deaf: 'refused' })
const target = (address: string, more: Partial<Target> = {}): Target => ({
  name: address,
  dial: { protocol: 'TCP', address, port: 80 },
  ends: [{ end: pod(address), port: 80 }],
  stated: { end: pod(address), port: 80 },
  witness: alive,
  ...more,
})
const server = target('server')
const closed = target('closed', {
  ends: [{ end: pod('closed', 'other'), port: 80 }],
  stated: { end: pod('closed', 'other'), port: 80 },
})

const contract: StatedNetwork = {
  namespace: { section: 's', name: 'slate', labels: {} },
  networkPolicies: [
    {
      name: 'intra',
      section: 's',
      pods: {},
      types: ['Egress'],
      ingress: [],
      egress: [{ peers: ['all pods'], ports: ['any'] }],
    },
  ],
}
const world = {
  namespaces: {},
  policies: [
    {
      metadata: { name: 'intra', namespace: 'slate' },
      spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{ to: [{ podSelector: {} }] }] },
    },
  ],
}

const run = async (sources: Source[], targets: Target[]) => {
  const record: TestRecord = { controls: [], facts: [] }
  const signal = new AbortController().signal
  const outcome = await requireMatrix(record, { title: 'm', sources, targets, world, contract, signal }).then(
    () => 'pass',
    (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`,
  )
  return { record, outcome }
}

describe('a matrix', () => {
  it('passes when stated, computed and measured agree, and tells what it saw', async () => {
    const { record, outcome } = await run([source('a', { server: 'connected' })], [server, closed])
    expect(outcome).toBe('pass')
    expect(record.matrices?.[0]).toMatchObject({
      rows: ['a'],
      columns: ['server', 'closed'],
      cells: [
        {
          stated: 'open',
          expected: 'open',
          measured: 'connected',
          ok: true,
          control: 'connected from witness',
        },
        { stated: 'closed', expected: 'closed', measured: 'timeout', ok: true },
      ],
    })
  })

  it('fails with the square, the policies and a command when something is open that should not be', async () => {
    const open = { server: 'connected', closed: 'connected' } as const
    const { record, outcome } = await run([source('a', open)], [server, closed])
    expect(outcome).toMatch(/^ExpectationFailed: m: 1 of 2 squares/)
    expect(outcome).toContain('a  o  !')
    expect(outcome).toContain('leaving is denied, none of intra allows it')
    expect(outcome).toContain("kubectl exec a -- timeout 2 bash -c 'exec 3<>/dev/tcp/closed/80'")
    expect(record.matrices).toHaveLength(1)
  })

  it('fails when the matrices in a row differ', async () => {
    const now = { server: ['connected', 'timeout', 'connected'] } satisfies Record<string, Outcome[]>
    expect((await run([source('a', now)], [server, closed])).outcome).toContain(
      'measured connected, timeout, connected',
    )
  })

  it('asks again while something that should answer is silent, and takes what answers then', async () => {
    let rounds = 0
    const late: Source = {
      ...source('a', {}),
      run: (argv, signal) => {
        rounds += 1
        return source('a', rounds < 3 ? {} : { server: 'connected' }).run(argv, signal)
      },
    }
    expect((await run([late], [server, closed])).outcome).toBe('pass')
    expect(rounds).toBe(3)
  })

  it('does not ask again when something answered once that should be silent', async () => {
    let rounds = 0
    const leaking: Source = {
      ...source('a', {}),
      run: (argv, signal) => {
        rounds += 1
        const once: Outcome[] = rounds === 1 ? ['timeout', 'connected', 'timeout'] : ['timeout']
        return source('a', { closed: once }).run(argv, signal)
      },
    }
    expect((await run([leaking], [server, closed])).outcome).toContain('timeout, connected, timeout')
    expect(rounds).toBe(1)
  })

  it('fails when policies and specification differ, though the network does what the policies say', async () => {
    const lost = target('lost', {
      ends: [{ end: pod('lost', 'other'), port: 80 }],
      witness: source('w', { lost: 'connected' }),
    })
    expect((await run([source('a', { server: 'connected' })], [server, lost])).outcome).toContain(
      'stated open, the policies mean closed, measured timeout',
    )
  })

  it.each<[why: string, sources: Source[], targets: Target[]]>([
    ['did not answer witness', [source('a', { server: 'connected' })], [server, target('dead')]],
    ['Nothing is open to a', [source('a', {})], [closed]],
    [
      'did not run to its end',
      [{ ...source('a', {}), run: () => Promise.resolve({ exitCode: 127, stdout: '', stderr: 'no perl' }) }],
      [server],
    ],
  ])('breaks rather than fails when it cannot tell: %s', async (why, sources, targets) => {
    const { outcome } = await run(sources, targets)
    expect(outcome).toMatch(/^CheckBroke/)
    expect(outcome).toContain(why)
  })
})

it.each<[wanted: 'open' | 'closed', deaf: boolean, is: string[]]>([
  ['open', false, ['connected']],
  ['open', true, ['refused']],
  ['closed', false, ['refused', 'timeout', 'unreachable']],
  ['closed', true, ['timeout', 'unreachable']],
])('%s, deaf %s: %j', (wanted, deaf, is) => {
  const all = ['connected', 'refused', 'reset', 'timeout', 'unreachable', 'timeout, connected, timeout']
  expect(all.filter((one) => isAs(wanted, one, deaf))).toEqual(is)
})
