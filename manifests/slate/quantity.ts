import { quantity } from '../../bootstrap/manifests/quantity.ts'

/** CPU in millicores from a quantity such as `250m`, `1` or `0.5`. @throws RangeError for anything else */
export function millicores(cpu: string): number {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(cpu)
  if (!match) throw new RangeError(`not a CPU quantity: ${cpu}`)
  return Number(match[1]) * (match[2] === 'm' ? 1 : 1000)
}

/** Bytes from a quantity such as `512Mi` or `2Gi`. @throws RangeError for anything else */
export function bytes(memory: string): number {
  if (!/^\d+(?:\.\d+)?(?:k|M|G|[KMGT]i)?$/.test(memory))
    throw new RangeError(`not a memory quantity: ${memory}`)
  return quantity(memory)
}
