import { describe, expect, it } from 'vitest'
import { readTally } from './request-stream.ts'

describe('what a stream of requests saw', () => {
  it('counts the answers by their body and lists the failures', () => {
    const output = '     12 web-a\n      3 {"pod":"web b"}\nfailures:\n10:00:01 wget: download timed out\n'
    expect(readTally(output)).toEqual({
      answered: 15,
      bodies: { 'web-a': 12, '{"pod":"web b"}': 3 },
      failures: ['10:00:01 wget: download timed out'],
    })
  })

  it('is empty before the first answer', () => {
    expect(readTally('failures:\n')).toEqual({ answered: 0, bodies: {}, failures: [] })
  })

  it('is no tally when the client’s files are not there', () => {
    expect(() => readTally('cat: can’t open answers\n')).toThrow(/cannot be read/)
  })
})
