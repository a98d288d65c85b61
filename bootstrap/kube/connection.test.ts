import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentOptions } from 'node:https'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { connectionFrom } from './connection.ts'

let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'local-cloud-connection-'))
  file = join(folder, 'kubeconfig')
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const config = (cluster: object, user: object): object => ({
  'current-context': 'one',
  contexts: [
    { name: 'one', context: { cluster: 'c', user: 'u' } },
    { name: 'two', context: { cluster: 'missing', user: 'u' } },
  ],
  clusters: [{ name: 'c', cluster }],
  users: [{ name: 'u', user }],
})
const write = (content: object | string): Promise<void> =>
  writeFile(file, typeof content === 'string' ? content : stringify(content))
const optionsOf = (agent: unknown): AgentOptions => (agent as { options: AgentOptions }).options

describe('connectionFrom', () => {
  it('reads certificates from data and from files beside the kubeconfig', async () => {
    await writeFile(join(folder, 'key.pem'), 'KEY')
    await write(
      config(
        {
          server: 'https://127.0.0.1:6443/',
          'certificate-authority-data': Buffer.from('CA').toString('base64'),
        },
        { 'client-certificate-data': Buffer.from('CERT').toString('base64'), 'client-key': 'key.pem' },
      ),
    )
    const connection = await connectionFrom({ file })
    expect(connection.server).toBe('https://127.0.0.1:6443')
    expect(connection.context).toBe('one')
    const { agent, headers } = await connection.auth()
    const { ca, cert, key, rejectUnauthorized } = optionsOf(agent)
    expect([ca, cert, key].map(String)).toEqual(['CA', 'CERT', 'KEY'])
    expect(rejectUnauthorized).toBeUndefined()
    expect(headers).toEqual({})
    connection.close()
  })

  it('leaves users with plugins and passwords to client-node', async () => {
    const command = join(folder, 'login')
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'from-plugin' },
    }
    await writeFile(command, `#!/bin/sh\necho '${JSON.stringify(credential)}'\n`, { mode: 0o755 })
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command, interactiveMode: 'Never' }
    await write(config({ server: 'https://127.0.0.1:6443' }, { exec }))
    const connection = await connectionFrom({ file })
    expect((await connection.auth()).headers).toMatchObject({ Authorization: 'Bearer from-plugin' })
    connection.close()
  })

  it.each([
    ['a file that is not there', undefined, undefined, 'cannot be read'],
    ['what is no YAML', 'a: b: c', undefined, 'cannot be read'],
    ['an empty file', '', undefined, 'is not a kubeconfig'],
    ['no current context', { contexts: [] }, undefined, 'has no current-context'],
    ['an unknown context', config({ server: 'https://x' }, {}), 'three', 'has no context "three"'],
    ['a context without its cluster', config({ server: 'https://x' }, {}), 'two', 'has no cluster "missing"'],
    ['no server', config({}, {}), undefined, 'has no valid server address'],
    [
      'a key file that is not there',
      config({ server: 'https://x' }, { 'client-key': 'no.pem' }),
      undefined,
      'cannot be read',
    ],
  ])('refuses %s', async (_what, content, context, told) => {
    if (content !== undefined) await write(content)
    await expect(connectionFrom({ file }, context)).rejects.toMatchObject({
      code: 'BAD_KUBECONFIG',
      message: expect.stringMatching(new RegExp(`kubeconfig ${file} .*${told}`)) as string,
    })
  })
})
