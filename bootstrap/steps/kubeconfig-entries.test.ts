import { parse } from 'yaml'
import { describe, expect, it } from 'vitest'
import { fakeKubeconfig } from '../providers/fake-provider.ts'
import { hasEntries, mergeEntries, removeEntries } from './kubeconfig-entries.ts'

const users = `# mine
apiVersion: v1
clusters:
- cluster:
    server: https://work.example:6443
  name: work
contexts:
- context:
    cluster: work
    user: me
  name: work
current-context: work
kind: Config
preferences: {}
users:
- name: me
  user:
    exec:
      command: get-token # short-lived
`
const ours = fakeKubeconfig('lc')

describe('the user’s kubeconfig', () => {
  it('gets our entries beside its own, as the current context, and is byte-identical after they are taken out', () => {
    const merged = mergeEntries(users, ours)
    const config = parse(merged) as { 'current-context': string; contexts: { name: string }[] }
    expect(config['current-context']).toBe('kind-lc')
    expect(config.contexts.map(({ name }) => name)).toEqual(['work', 'kind-lc'])
    expect(merged).toContain('# mine')
    expect(merged).toContain('command: get-token # short-lived')
    expect(removeEntries(merged, 'kind-lc')).toBe(users)
  })

  it('does not change when merged twice, and remembers the context before ours', () => {
    const merged = mergeEntries(users, ours)
    expect(mergeEntries(merged, ours)).toBe(merged)
    expect(hasEntries(merged, ours)).toBe(true)
    expect(hasEntries(users, ours)).toBe(false)
    expect(hasEntries(merged, ours.replace('6443', '7443'))).toBe(false)
  })

  it('keeps a context that the user chose after us', () => {
    const chosen = mergeEntries(users, ours).replace('current-context: kind-lc', 'current-context: work')
    expect(removeEntries(chosen, 'kind-lc')).toBe(users)
  })

  it('is made when there is none, and deleted again', () => {
    const made = mergeEntries(undefined, ours)
    expect(parse(made)).toMatchObject({ 'current-context': 'kind-lc', kind: 'Config' })
    expect(removeEntries(made, 'kind-lc')).toBeUndefined()
  })

  it('is left alone where an entry of that name is not ours', () => {
    const foreign = users.replaceAll('work', 'kind-lc')
    expect(() => mergeEntries(foreign, ours)).toThrow(/kind-lc already/)
    expect(removeEntries(foreign, 'kind-lc')).toBe(foreign)
  })

  it('is left alone when it is not YAML, and removal does not even read one that is not marked', () => {
    expect(() => mergeEntries('a: [', ours)).toThrow(/not readable/)
    expect(removeEntries('a: [', 'kind-lc')).toBe('a: [')
  })
})
