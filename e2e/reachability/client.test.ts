import { describe, expect, it } from 'vitest'
import { dialByHand, dialCommand, readDials, type Dial } from './client.ts'

const dials: Dial[] = [
  { protocol: 'TCP', address: '10.0.0.1', port: 80 },
  { protocol: 'UDP', address: '10.0.0.2', port: 53, from: '10.0.0.9' },
]
const said = (stdout: string, exitCode = 0) => ({ exitCode, stdout, stderr: '' })
const end = 'local-cloud-dial-end\n'
const read =
  (stdout: string, passes = 2) =>
  () =>
    readDials('pod a', said(stdout), dials, passes)

it('hands every target to the client, with its passes and its time', () => {
  expect(dialCommand(dials, { passes: 3, timeoutMs: 1300 }).slice(3)).toEqual([
    '3',
    '1300',
    'tcp/10.0.0.1/80',
    'udp/10.0.0.2/53/10.0.0.9',
  ])
})

describe('what the client says', () => {
  it('is read pass by pass', () => {
    expect(read(`1\tconnected\ttimeout\n2\trefused\tunreachable\n${end}`)()).toEqual([
      ['connected', 'timeout'],
      ['refused', 'unreachable'],
    ])
  })

  it.each([
    ['it was cut off', '1\tconnected\ttimeout\n'],
    ['a pass is missing', `1\tconnected\ttimeout\n${end}`],
    ['an outcome is missing', `1\tconnected\n2\tconnected\ttimeout\n${end}`],
    [
      'a socket could not be opened',
      `1\tbroken:Operation not permitted\ttimeout\n2\ttimeout\ttimeout\n${end}`,
    ],
    ['nothing came', ''],
  ])('is never read as "blocked" when %s', (_, stdout) => {
    expect(read(stdout)).toThrow(/pod a/)
    expect(read(stdout)).toThrow(expect.objectContaining({ name: 'CheckBroke' }) as Error)
  })
})

it('tells a person how to see the same', () => {
  expect(dials.map(dialByHand)[0]).toBe("timeout 2 bash -c 'exec 3<>/dev/tcp/10.0.0.1/80'")
  expect(dials.map(dialByHand)[1]).toContain('/dev/udp/10.0.0.2/53')
})
