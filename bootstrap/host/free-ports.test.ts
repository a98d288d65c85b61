import net from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findPortHolder, listeningInodes, portHolderWords, requireFreePorts } from './free-ports.ts'

async function listen(host: string): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  onTestFinished(() => {
    server.close()
  })
  return (server.address() as net.AddressInfo).port
}

async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('a port', () => {
  it('is free when nobody listens, and stays free', async () => {
    const port = await freePort()
    expect(await findPortHolder(port, '127.0.0.1')).toBeUndefined()
    expect(await findPortHolder(port, '127.0.0.1')).toBeUndefined()
  })

  it.runIf(process.platform === 'linux')('that is taken has a holder with pid and program', async () => {
    const port = await listen('127.0.0.1')
    const holder = await findPortHolder(port, '127.0.0.1')
    expect(holder?.pid).toBe(process.pid)
    expect(holder?.program).toBeTruthy()
  })

  it('is taken on one address when somebody listens on all of them', async () => {
    const port = await listen('0.0.0.0')
    expect(await findPortHolder(port, '127.0.0.1')).toBeDefined()
  })

  it('is taken though /proc does not tell by whom', async () => {
    const port = await listen('127.0.0.1')
    expect(await findPortHolder(port, '127.0.0.1', '/nonexistent')).toEqual({})
  })

  it('cannot be looked at on an address of another machine', async () => {
    await expect(findPortHolder(8080, '192.0.2.77')).rejects.toMatchObject({ code: 'BAD_VALUE' })
  })
})

it('the first taken port is named with its flag, its holder and a free port', async () => {
  const taken = await listen('127.0.0.1')
  const free = await freePort()
  await requireFreePorts([{ flag: 'http-port', port: free }], '127.0.0.1')
  await expect(
    requireFreePorts(
      [
        { flag: 'http-port', port: free },
        { flag: 'https-port', port: taken },
      ],
      '127.0.0.1',
    ),
  ).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: expect.stringContaining(`Port ${String(taken)} on 127.0.0.1 is in use by`) as string,
    hint: expect.stringMatching(/--https-port with a free port, such as \d+/) as string,
  })
})

it('only listening sockets on the address count', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0',
    '   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0',
    '   2: 0200000A:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0',
    '   3: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 444 1 0 100 0 0 10 0',
  ].join('\n')
  expect(listeningInodes(table, 8080, '127.0.0.1')).toEqual(['111'])
  expect(listeningInodes(table, 8080, '0.0.0.0')).toEqual(['111', '333'])
  expect(listeningInodes(table, 8081, '127.0.0.1')).toEqual(['444'])
})

it('holders are named as far as they are known', () => {
  expect(portHolderWords({ pid: 7, program: 'nginx' })).toBe('nginx (process 7)')
  expect(portHolderWords({ pid: 7 })).toBe('process 7')
  expect(portHolderWords({})).toBe('another process')
})
