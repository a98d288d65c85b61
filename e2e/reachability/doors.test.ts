import { describe, expect, it } from 'vitest'
import type { ConnectKind } from '../harness/probe-script.ts'
import type { TestRecord } from '../harness/record.ts'
import { requireDoors, type Door, type Knocker } from './doors.ts'

const doors: Door[] = ['brain', 'dns'].map((name) => ({ name, address: '192.0.2.1', port: 1 }))
const knocker = (name: string, ...kinds: ConnectKind[]): Knocker => ({
  name,
  knock: () => Promise.resolve(kinds),
})
const open = { good: ['brain', 'dns'], bad: ['dns'] }

describe('requireDoors', () => {
  const judge = (rows: Knocker[], more: Partial<Parameters<typeof requireDoors>[1]> = {}) => {
    const record: TestRecord = { controls: [], facts: [] }
    const judged = requireDoors(record, {
      title: 't',
      rows,
      doors,
      open,
      signal: new AbortController().signal,
      ...more,
    })
    return { judged, record }
  }

  it('passes when every square is as stated, and tells what makes a closed one believable', async () => {
    const { judged, record } = judge([
      knocker('good', 'connected', 'connected'),
      knocker('bad', 'timeout', 'connected'),
    ])
    await judged
    expect(record.matrices?.[0]?.cells).toContainEqual({
      row: 'bad',
      column: 'brain',
      stated: 'closed',
      expected: 'closed',
      measured: 'timeout',
      ok: true,
      control: 'good gets in',
    })
  })

  it('fails with every square that is not as stated, also when it was so only once', async () => {
    let pass = 0
    const leaky: Knocker = {
      name: 'bad',
      knock: () => Promise.resolve([(pass += 1) === 2 ? 'connected' : 'timeout', 'connected']),
    }
    await expect(judge([knocker('good', 'connected', 'refused'), leaky]).judged).rejects.toMatchObject({
      name: 'ExpectationFailed',
      message: 't: good → dns: refused, not open; bad → brain: connected, not closed',
    })
  })

  it('knocks again at a door that should open and was silent, and at no other', async () => {
    const asked: string[][] = []
    const late: Knocker = {
      name: 'bad',
      knock(which) {
        asked.push(which.map(({ name }) => name))
        return Promise.resolve(which.length === 2 ? ['timeout', 'timeout'] : ['connected'])
      },
    }
    await judge([knocker('good', 'connected', 'connected'), late]).judged
    expect(asked.slice(0, 2)).toEqual([['brain', 'dns'], ['dns']])
    expect(asked).toHaveLength(6)
  })

  it('breaks when a closed door opened for nobody and has no witness', async () => {
    const rows = [knocker('bad', 'timeout', 'connected')]
    await expect(judge(rows).judged).rejects.toMatchObject({ name: 'CheckBroke' })
    const witnessed = doors.map((door) => ({ ...door, witness: 'its probe passes' }))
    await judge(rows, { doors: witnessed }).judged
  })
})
