import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { selectContext, userKubeconfigFiles } from './select-context.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'local-cloud-context-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const two = `
apiVersion: v1
kind: Config
current-context: prod
clusters:
- name: prod
  cluster: { server: https://192.0.2.1, certificate-authority: pki/ca.crt }
- name: staging
  cluster: { server: https://192.0.2.2 }
users:
- name: admin
  user: { client-key: pki/key, token: prod-token }
- name: dev
  user:
    exec: { apiVersion: client.authentication.k8s.io/v1, command: ./bin/login, interactiveMode: Never }
contexts:
- name: prod
  context: { cluster: prod, user: admin }
- name: staging
  context: { cluster: staging, user: dev, namespace: mine }
`
const failure = (work: () => unknown): LocalCloudError => {
  try {
    work()
  } catch (error) {
    if (error instanceof LocalCloudError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

it('cuts out one context with its cluster and user and nothing of the others', () => {
  const path = file('config', two)
  const { context, kubeconfig } = selectContext([path], 'staging')
  expect(context).toBe('staging')
  expect(kubeconfig).not.toContain('prod')
  expect(parse(kubeconfig)).toMatchObject({
    'current-context': 'staging',
    clusters: [{ name: 'staging', cluster: { server: 'https://192.0.2.2' } }],
    users: [{ name: 'dev', user: { exec: { command: join(folder, 'bin/login') } } }],
    contexts: [{ name: 'staging', context: { cluster: 'staging', user: 'dev', namespace: 'mine' } }],
  })
  expect(readFileSync(path, 'utf8')).toBe(two)
})

it('makes the files that it names absolute', () => {
  const { kubeconfig } = selectContext([file('config', two)], 'prod')
  expect(parse(kubeconfig)).toMatchObject({
    clusters: [{ cluster: { 'certificate-authority': join(folder, 'pki/ca.crt') } }],
    users: [{ user: { 'client-key': join(folder, 'pki/key') } }],
  })
})

it('merges several files as kubectl does: the first of a name counts, and a missing file is none', () => {
  mkdirSync(join(folder, 'more'))
  const first = file('first', two)
  const second = file(
    'more/second',
    two
      .replaceAll('192.0.2.2', '192.0.2.9')
      .replace('- name: staging\n  context', '- name: other\n  context'),
  )
  const files = [join(folder, 'none'), first, second]
  expect(selectContext(files, 'other').kubeconfig).toContain('https://192.0.2.2')
})

it('lists the contexts there are when the named one is not among them, and never takes the current one', () => {
  const path = file('config', two)
  expect(failure(() => selectContext([path], 'stagin'))).toMatchObject({
    code: 'BAD_VALUE',
    family: 'usage',
    message: expect.stringContaining('--context stagin: there is no such context') as string,
    hint: 'There are: prod, staging.',
  })
  expect(failure(() => selectContext([path], undefined))).toMatchObject({
    code: 'BAD_VALUE',
    message: expect.stringContaining('never guessed') as string,
    hint: 'There are: prod, staging.',
  })
  expect(failure(() => selectContext([join(folder, 'none')], 'x')).hint).toContain(
    'There is no context at all',
  )
})

it('refuses what is no kubeconfig', () => {
  expect(failure(() => selectContext([file('bad', 'a: [')], 'x')).code).toBe('BAD_KUBECONFIG')
  expect(failure(() => selectContext([file('list', '- 1')], 'x')).code).toBe('BAD_KUBECONFIG')
  expect(
    failure(() => selectContext([file('half', 'contexts: [{name: x, context: {cluster: c, user: u}}]')], 'x'))
      .message,
  ).toContain('names the cluster c')
})

it('reads the files of KUBECONFIG, else the one of the home directory', () => {
  expect(userKubeconfigFiles({ KUBECONFIG: '/a:/b' })).toEqual(['/a', '/b'])
  expect(userKubeconfigFiles({ HOME: '/home/x' })).toEqual(['/home/x/.kube/config'])
})
