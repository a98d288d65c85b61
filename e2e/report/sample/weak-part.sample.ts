import { beforeAll, describe, it } from 'vitest'
import { NotProven } from '../../harness/verdict.ts'

// Called as a suite of which one part has a set-up that can prove nothing.
describe('a part', () => {
  beforeAll(() => {
    throw new NotProven('no GPU is free')
  })

  it('waits in vain', () => undefined)
})
