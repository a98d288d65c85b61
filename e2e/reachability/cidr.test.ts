import fc from 'fast-check'
import { expect, it } from 'vitest'
import { addressAt, blockSize, inBlock, isBlock } from './cidr.ts'

const block = fc
  .tuple(fc.ipV4(), fc.integer({ min: 1, max: 32 }))
  .map(([ip, prefix]) => `${addressAt(`${ip}/${String(prefix)}`, 0)}/${String(prefix)}`)

it('every address of a block is in it, and its neighbours are not', () => {
  fc.assert(
    fc.property(block, fc.nat(), (cidr, n) => {
      const size = blockSize(cidr)
      expect(inBlock(addressAt(cidr, n % size), cidr)).toBe(true)
      expect(inBlock(addressAt(cidr, -1), cidr)).toBe(true)
      const after = addressAt(cidr, size)
      if (after !== '0.0.0.0') expect(inBlock(after, cidr)).toBe(false)
    }),
  )
})

it('knows blocks, and IPv6 apart', () => {
  expect(['10.0.0.0/8', '10.0.0.0', 'all pods', '::/0'].map(isBlock)).toEqual([true, false, false, false])
  expect([inBlock('::1', '0.0.0.0/0'), inBlock('10.0.0.1', '::/0'), inBlock('fd00::1', 'fd00::/8')]).toEqual([
    false,
    false,
    true,
  ])
})
