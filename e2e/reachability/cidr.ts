import { BlockList, isIPv4, isIPv6 } from 'node:net'

const family = (ip: string): 'ipv4' | 'ipv6' => (isIPv6(ip) ? 'ipv6' : 'ipv4')

/** Whether an address lies in a block such as `140.82.112.0/20`; never across IPv4 and IPv6. */
export function inBlock(ip: string, cidr: string): boolean {
  const [network = '', prefix = ''] = cidr.split('/')
  if (family(network) !== family(ip)) return false
  const list = new BlockList()
  list.addSubnet(network, Number(prefix), family(network))
  return list.check(ip, family(ip))
}

/** Whether a text is an IPv4 block. */
export const isBlock = (text: string): boolean =>
  /^[\d.]+\/\d+$/.test(text) && isIPv4(text.split('/')[0] ?? '')

const toNumber = (ip: string): number => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
const toAddress = (value: number): string =>
  [24, 16, 8, 0].map((shift) => String(Math.floor(value / 2 ** shift) % 256)).join('.')

/** The address `offset` places after the first one of an IPv4 block; a negative offset counts back from the first one after the block. */
export function addressAt(cidr: string, offset: number): string {
  const [network = '', prefix = ''] = cidr.split('/')
  const size = 2 ** (32 - Number(prefix))
  const first = Math.floor(toNumber(network) / size) * size
  return toAddress(offset < 0 ? first + size + offset : first + offset)
}

/** How many addresses an IPv4 block has. */
export const blockSize = (cidr: string): number => 2 ** (32 - Number(cidr.split('/')[1]))
