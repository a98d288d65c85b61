import { createHash, randomBytes } from 'node:crypto'

/** Opcodes of RFC 6455, section 5.2. */
export const opcodes = { text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const

export interface Frame {
  opcode: number
  payload: Buffer
}

/** The `Sec-WebSocket-Accept` that a server must compute from the client's key (RFC 6455, section 4.2.2). */
export const acceptKey = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

/** One unfragmented frame; masked, as a client must send it, unless `mask` is false. */
export function encodeFrame(opcode: number, payload: Buffer, mask: Buffer | false = randomBytes(4)): Buffer {
  const { length } = payload
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const header = Buffer.alloc(2 + size)
  header[0] = 0x80 | opcode
  header[1] = (mask ? 0x80 : 0) | (size === 0 ? length : size === 2 ? 126 : 127)
  if (size === 2) header.writeUInt16BE(length, 2)
  if (size === 8) header.writeBigUInt64BE(BigInt(length), 2)
  return mask ? Buffer.concat([header, mask, masked(payload, mask)]) : Buffer.concat([header, payload])
}

/**
 * Takes the first complete frame off `buffer`; `undefined` while one is incomplete.
 * @throws Error for a fragmented frame, which nothing here sends.
 */
export function decodeFrame(buffer: Buffer): { frame: Frame; rest: Buffer } | undefined {
  if (buffer.length < 2) return undefined
  const first = buffer.readUInt8(0)
  const second = buffer.readUInt8(1)
  if ((first & 0x80) === 0 || (first & 0x0f) === 0) throw new Error('a fragmented WebSocket frame')
  const short = second & 0x7f
  const size = short === 126 ? 2 : short === 127 ? 8 : 0
  const maskSize = (second & 0x80) === 0 ? 0 : 4
  const start = 2 + size + maskSize
  if (buffer.length < start) return undefined
  const length = size === 0 ? short : size === 2 ? buffer.readUInt16BE(2) : Number(buffer.readBigUInt64BE(2))
  if (buffer.length < start + length) return undefined
  const raw = buffer.subarray(start, start + length)
  const payload = maskSize === 0 ? Buffer.from(raw) : masked(raw, buffer.subarray(start - 4, start))
  return { frame: { opcode: first & 0x0f, payload }, rest: buffer.subarray(start + length) }
}

const masked = (payload: Buffer, mask: Buffer): Buffer =>
  Buffer.from(payload.map((byte, index) => byte ^ mask.readUInt8(index % 4)))
