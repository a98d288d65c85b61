import { beforeAll, describe, it } from 'vitest'

// A suite whose set-up throws on purpose, for the test of the reporter.
describe('with a broken set-up', () => {
  beforeAll(() => {
    throw new Error('no cluster')
  })

  it('never runs', () => undefined)
})
