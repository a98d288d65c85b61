/** Factors of https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
const factors: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** A Kubernetes quantity as a number in its base unit: `250m` is 0.25, `2Gi` is 2147483648. NaN for what is none. */
export function quantity(value: unknown): number {
  if (typeof value === 'number') return value
  const match = /^([+-]?\d*\.?\d+)(?:([eE][+-]?\d+)|([a-zA-Z]*))$/.exec(String(value).trim())
  if (!match) return NaN
  const [, digits = '', exponent = '', unit = ''] = match
  return Number(`${digits}${exponent}`) * (Object.hasOwn(factors, unit) ? (factors[unit] ?? NaN) : NaN)
}
