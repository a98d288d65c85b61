import { describe, expect, it } from 'vitest'
import type { PortHolder } from '../host/free-ports.ts'
import { choosePorts, type PortWish } from './choose-ports.ts'

const choose = (wishes: PortWish[], taken: Record<number, PortHolder> = {}) =>
  choosePorts(wishes, '127.0.0.1', (port) => Promise.resolve(taken[port]))
const guide: PortWish[] = [8080, 11434, 8000, 8081, 8082, 8083, 8084, 9090].map((port) => ({
  service: `svc-${String(port)}`,
  port,
}))

describe('choosePorts', () => {
  it('takes each Service’s own port where it is free', async () => {
    expect((await choose(guide)).map(({ localPort }) => localPort)).toEqual(guide.map(({ port }) => port))
  })

  it('takes the next that no other Service wants, and says who has the own one', async () => {
    const [first] = await choose(guide, { 8080: { pid: 7, program: 'conmon' }, 8085: {} })
    expect(first).toEqual({ localPort: 8086, note: '8080 is in use by conmon (process 7)' })
  })

  it('gives the own port of a Service to another that asked for it by name', async () => {
    const [first, second] = await choose([
      { service: 'a', port: 8080 },
      { service: 'b', port: 9090, local: 8080 },
    ])
    expect(first).toEqual({ localPort: 8081, note: '8080 is in use by b' })
    expect(second).toEqual({ localPort: 8080 })
  })

  it('gives two Services with the same port different ones', async () => {
    const ports = await choose([
      { service: 'a', port: 9090 },
      { service: 'b', port: 9090 },
    ])
    expect(ports).toEqual([
      { localPort: 9090 },
      { localPort: 9091, note: '9090 is in use by another Service' },
    ])
  })

  it('refuses a port that was asked for and is taken, or asked for twice', async () => {
    await expect(choose([{ service: 'a', port: 80, local: 8080 }], { 8080: {} })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      hint: expect.stringContaining('--port a=8081') as string,
    })
    await expect(
      choose([
        { service: 'a', port: 1, local: 8080 },
        { service: 'b', port: 2, local: 8080 },
      ]),
    ).rejects.toMatchObject({ code: 'BAD_VALUE', message: expect.stringContaining('both a and b') as string })
  })
})
