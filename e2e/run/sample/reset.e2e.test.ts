import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, it } from 'vitest'

// Called as a suite of which nothing is safe on a shared cluster: not even its set-up may run.
const touch = (): void => {
  writeFileSync(`${process.env['SAMPLE_REPORT'] ?? ''}.touched`, '')
}
beforeAll(touch)
afterAll(touch)

describe('reset', () => {
  it('deletes everything', touch)
})
