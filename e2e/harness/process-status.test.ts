import { describe, expect, it } from 'vitest'
import { processRights } from './process-status.ts'
import { CheckBroke } from './verdict.ts'

const status = (changed: Record<string, string> = {}): string =>
  Object.entries({
    Name: 'node',
    Uid: '1000\t1000\t1000\t1000',
    Gid: '1000\t1000\t1000\t1000',
    CapInh: '0000000000000000',
    CapPrm: '0000000000000000',
    CapEff: '0000000000000000',
    CapBnd: '0000000000000000',
    CapAmb: '0000000000000000',
    NoNewPrivs: '1',
    Seccomp: '2',
    Seccomp_filters: '1',
    ...changed,
  })
    .map(([name, value]) => `${name}:\t${value}`)
    .join('\n')

describe('processRights', () => {
  it('of a process without any', () => {
    expect(processRights(status())).toEqual({
      users: [1000, 1000, 1000, 1000],
      groups: [1000, 1000, 1000, 1000],
      capabilities: [],
      noNewPrivileges: true,
      seccompFilter: true,
    })
  })

  it('of one with all', () => {
    const all = status({ Uid: '0 0 0 0', CapEff: '000001ffffffffff', NoNewPrivs: '0', Seccomp: '0' })
    expect(processRights(all)).toMatchObject({
      users: [0, 0, 0, 0],
      capabilities: ['CapEff 000001ffffffffff'],
      noNewPrivileges: false,
      seccompFilter: false,
    })
  })

  it('refuses what is no status', () => {
    expect(() => processRights('cat: not found')).toThrow(CheckBroke)
  })
})
