import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { withToken } from './api-caller.ts'

const kubeconfig = `
apiVersion: v1
kind: Config
clusters:
  - name: one
    cluster: { server: 'https://127.0.0.1:1', certificate-authority-data: AAAA }
  - name: two
    cluster: { server: 'https://127.0.0.1:2', certificate-authority: pki/ca.crt }
contexts:
  - { name: first, context: { cluster: one, user: admin } }
  - { name: second, context: { cluster: two, user: admin } }
users:
  - { name: admin, user: { client-certificate-data: BBBB, client-key-data: CCCC } }
`

describe('withToken', () => {
  it('keeps the cluster of the context and has no credentials but the token', () => {
    const text = withToken(kubeconfig, { context: 'first', token: 'T', directory: '/home/a' })
    const { clusters, users, contexts } = parse(text) as Record<string, unknown>
    expect(clusters).toEqual([
      { name: 'cluster', cluster: { server: 'https://127.0.0.1:1', 'certificate-authority-data': 'AAAA' } },
    ])
    expect(users).toEqual([{ name: 'account', user: { token: 'T' } }])
    expect(contexts).toEqual([{ name: 'first', context: { cluster: 'cluster', user: 'account' } }])
    expect(text).not.toMatch(/BBBB|CCCC/)
  })

  it('names a certificate file in full', () => {
    const text = withToken(kubeconfig, { context: 'second', token: 'T', directory: '/home/a' })
    expect(text).toContain('certificate-authority: /home/a/pki/ca.crt')
  })

  it('refuses a context that is not there', () => {
    expect(() => withToken(kubeconfig, { context: 'third', token: 'T', directory: '/' })).toThrow(
      'The kubeconfig has no context third with a cluster.',
    )
  })
})
