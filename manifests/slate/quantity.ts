const memoryUnits: Record<string, number> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
}

/** CPU in millicores from a quantity such as `250m`, `1` or `0.5`. @throws RangeError for anything else */
export function millicores(quantity: string): number {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(quantity)
  if (!match) throw new RangeError(`not a CPU quantity: ${quantity}`)
  return Number(match[1]) * (match[2] === 'm' ? 1 : 1000)
}

/** Bytes from a quantity such as `512Mi` or `2Gi`. @throws RangeError for anything else */
export function bytes(quantity: string): number {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(quantity)
  const unit = match ? memoryUnits[match[2] ?? ''] : undefined
  if (!match || unit === undefined) throw new RangeError(`not a memory quantity: ${quantity}`)
  return Number(match[1]) * unit
}
