import { beforeAll, describe, it } from 'vitest'
import { NotProven } from '../../harness/verdict.ts'

beforeAll(() => {
  throw new NotProven('this cluster has no GPUs')
})

describe('below a set-up that can prove nothing', () => {
  it('cannot be proven', () => undefined)
})
