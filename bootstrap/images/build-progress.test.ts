import { expect, it } from 'vitest'
import { buildProgress } from './build-progress.ts'

it('names what is still being built when something beside it is finished', () => {
  let now = 0
  const lines: string[] = []
  const start = buildProgress(
    3,
    (line) => lines.push(line),
    () => now,
  )
  const kubernetes = start('kubernetes v1')
  kubernetes.tell('compiling')
  const busybox = start('busybox v2')
  now = 75_000
  busybox.built()
  now = 80_000
  kubernetes.built()
  expect(lines).toEqual([
    '[0/3] kubernetes v1: starting (0 s)',
    '[0/3] kubernetes v1: compiling (0 s)',
    '[0/3] busybox v2: starting (0 s)',
    '[1/3] busybox v2: built (1 min 15 s)',
    '[1/3] kubernetes v1: compiling (1 min 15 s)',
    '[2/3] kubernetes v1: built (1 min 20 s)',
  ])
})
