import { expect, it } from 'vitest'
import { requireUnusedCards } from './cards-in-use.ts'

const cards = '/var/run/nvidia-container-devices/all'
const node = (cluster: string, ...mounts: string[]) => ({
  id: cluster,
  name: `${cluster}-control-plane`,
  state: 'exited',
  image: 'node',
  labels: { 'io.local-cloud.cluster': cluster },
  mounts: ['/var', '/lib/modules', ...mounts],
})

it('names the other cluster that has the cards, also when it is stopped', () => {
  expect(() => {
    requireUnusedCards([node('plain'), node('mine', cards), node('other', cards)], 'mine')
  }).toThrow(
    expect.objectContaining({
      code: 'GPU_IN_USE',
      message: 'The cluster other has this machine’s cards.',
      hint: 'Remove it: bootstrap/down --name other; or pass --gpu=mock.',
    }) as Error,
  )
})

it('lets a cluster have its own cards again, and those that nobody has', () => {
  requireUnusedCards([node('plain'), node('mine', cards)], 'mine')
  requireUnusedCards([], 'mine')
})
