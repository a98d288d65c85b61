import { beforeAll, describe, expect, it } from 'vitest'

// Called as a suite of which one test is not safe on a shared cluster.
let prepared = false
beforeAll(() => {
  prepared = true
})

describe('priority', () => {
  it('slate-gpu-priority is the specified class', () => {
    expect(prepared).toBe(true)
  })

  it('a GPU workload displaces a standard one, and another standard one does not', () => {
    throw new Error('it was run')
  })
})
