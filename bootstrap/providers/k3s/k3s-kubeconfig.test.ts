import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { k3sKubeconfig } from './k3s-kubeconfig.ts'

const inNode = `apiVersion: v1
clusters:
- cluster: { certificate-authority-data: QQ==, server: https://127.0.0.1:6443 }
  name: default
contexts:
- context: { cluster: default, user: default }
  name: default
current-context: default
kind: Config
users:
- name: default
  user: { client-certificate-data: Qg==, client-key-data: Qw== }
`

it('leads to the host port, under names that can stand beside others', () => {
  expect(parse(k3sKubeconfig(inNode, 'c', 'https://127.0.0.1:40001'))).toEqual({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'k3s-c', cluster: { 'certificate-authority-data': 'QQ==', server: 'https://127.0.0.1:40001' } },
    ],
    users: [{ name: 'k3s-c', user: { 'client-certificate-data': 'Qg==', 'client-key-data': 'Qw==' } }],
    contexts: [{ name: 'k3s-c', context: { cluster: 'k3s-c', user: 'k3s-c' } }],
    'current-context': 'k3s-c',
  })
})

it.each(['', 'apiVersion: v1\nclusters: []\n'])('refuses %j, which is not complete', (text) => {
  expect(() => k3sKubeconfig(text, 'c', 'https://127.0.0.1:1')).toThrow(/not complete/)
})
