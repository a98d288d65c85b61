import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { mergeKubeconfig, unmergeKubeconfig, userKubeconfigFile } from './kubeconfig.ts'
import { mergedKubeconfig, unmergedKubeconfig } from './kubeconfig-text.ts'

const ours = (port = 1): string => `apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority-data: b3Vycw==
    server: https://127.0.0.1:${String(port)}
  name: kind-local-cloud
contexts:
- context:
    cluster: kind-local-cloud
    user: kind-local-cloud
  name: kind-local-cloud
current-context: kind-local-cloud
users:
- name: kind-local-cloud
  user:
    client-certificate-data: b3Vycw==
`
const context = 'kind-local-cloud'

/** As kubectl writes it, with a comment that a person has added and a line longer than any folding. */
const theirs = `apiVersion: v1
# work
clusters:
- cluster:
    server: "https://work.example" # keep
    certificate-authority-data: ${'QUJD'.repeat(60)}
  name: work
contexts:
- context:
    cluster: work
    user: work
  name: work
current-context: work
kind: Config
preferences: {}
users:
- name: work
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: login
      args: ["--quick", 'now']
`
/** The same with indented lists, as people and other tools write it. */
const indented = `apiVersion: v1
kind: Config
clusters:
    # the first
    - name: work # here
      cluster:
          server: https://work.example
contexts:
    - name: work
      context: { cluster: work, user: work }
current-context: work
users:
    - name: work
      user:
          token: abc
`

/** Lines of `before` that are no longer in `after`. */
const lost = (before: string, after: string): string[] => {
  const lines = after.split('\n')
  return before.split('\n').filter((line) => !lines.includes(line))
}

interface Named {
  clusters: { name: string; cluster: { server: string } }[]
  users: { name: string }[]
  contexts: { name: string }[]
  'current-context': string
}

describe('mergedKubeconfig', () => {
  it.each([
    ['as kubectl writes it', theirs],
    ['with indented lists', indented],
    ['with other line ends', theirs.replaceAll('\n', '\r\n')],
    ['without a last line end', theirs.trimEnd()],
    ['with its lists at the end and a comment behind', `${indented}# the end\n`],
  ])('adds our entries and leaves every line of a file %s', (_what, text) => {
    const merged = mergedKubeconfig(text, ours(), context)
    expect(lost(text, merged)).toEqual([])
    const config = parse(merged) as Named
    for (const list of [config.clusters, config.users, config.contexts]) {
      expect(list.map(({ name }) => name)).toEqual(['work', context])
    }
    expect(config['current-context']).toBe('work')
  })

  it.each([
    ['as kubectl writes it', theirs],
    ['with indented lists', indented],
    ['with other line ends', theirs.replaceAll('\n', '\r\n')],
    ['without a last line end', theirs.trimEnd()],
    ['with its lists at the end and a comment behind', `${indented}# the end\n`],
  ])('is taken back byte by byte in a file %s', (_what, text) => {
    // A last line end that was missing is the one thing that is added.
    const ended = text.endsWith('\n') ? text : `${text}\n`
    expect(unmergedKubeconfig(mergedKubeconfig(text, ours(), context), context)).toBe(ended)
  })

  it('replaces an entry of ours and changes nothing when it is the same', () => {
    const once = mergedKubeconfig(theirs, ours(1), context)
    expect(mergedKubeconfig(once, ours(1), context)).toBe(once)
    const again = parse(mergedKubeconfig(once, ours(2), context)) as Named
    expect(again.clusters.map(({ cluster }) => cluster.server)).toEqual([
      'https://work.example',
      'https://127.0.0.1:2',
    ])
  })

  it('sets the current context where there is none', () => {
    const empty =
      'apiVersion: v1\nkind: Config\nclusters: []\ncontexts: null\nusers: []\ncurrent-context: ""\n'
    const sparse = 'apiVersion: v1\nkind: Config\nusers:\n'
    for (const text of ['', empty, sparse, JSON.stringify(parse(empty))]) {
      const config = parse(mergedKubeconfig(text, ours(), context)) as Named
      expect(config['current-context']).toBe(context)
      expect(config.contexts.map(({ name }) => name)).toEqual([context])
    }
  })

  it.each(['- a list', 'clusters: {}', 'a: b: c', 'just words'])(
    'refuses what is no kubeconfig: %s',
    (text) => {
      expect(() => mergedKubeconfig(text, ours(), context)).toThrow(
        expect.objectContaining({ code: 'BAD_KUBECONFIG' }) as Error,
      )
    },
  )
})

describe('unmergedKubeconfig', () => {
  it('leaves a file that has nothing of ours as it is', () => {
    expect(unmergedKubeconfig(theirs, context)).toBe(theirs)
    expect(unmergedKubeconfig('', context)).toBe('')
  })

  it('leaves a cluster and a user that another context names', () => {
    const shared = mergedKubeconfig(theirs, ours(), context).replace(
      'contexts:\n',
      `contexts:\n- context:\n    cluster: ${context}\n    user: work\n  name: mine\n`,
    )
    const left = parse(unmergedKubeconfig(shared, context)) as Named
    expect(left.clusters.map(({ name }) => name)).toEqual(['work', context])
    expect(left.users.map(({ name }) => name)).toEqual(['work'])
  })

  it('does not leave a current context that is gone', () => {
    const current = mergedKubeconfig(theirs, ours(), context).replace(
      'current-context: work',
      `current-context: ${context}`,
    )
    expect((parse(unmergedKubeconfig(current, context)) as Named)['current-context']).toBe('')
  })
})

describe('the user’s file', () => {
  let folder: string
  let file: string
  const merge = () => ({ file, context, backupDirectory: join(folder, 'state') })

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'local-cloud-kubeconfig-'))
    file = join(folder, 'home', 'config')
  })
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  const write = async (text: string, mode = 0o640): Promise<void> => {
    await mergeKubeconfig({ ...merge(), kubeconfig: ours() })
    await writeFile(file, text)
    await (await import('node:fs/promises')).chmod(file, mode)
    await rm(join(folder, 'state'), { recursive: true })
  }

  it('is the first of KUBECONFIG, else in the home', () => {
    expect(userKubeconfigFile({ KUBECONFIG: ':/a:/b', HOME: '/home/me' })).toBe('/a')
    expect(userKubeconfigFile({ HOME: '/home/me' })).toBe('/home/me/.kube/config')
  })

  it('is made where there is none, for its owner only, and goes again', async () => {
    expect(await mergeKubeconfig({ ...merge(), kubeconfig: ours() })).toBe('merged')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await unmergeKubeconfig(merge())).toBe('restored')
    await expect(stat(file)).rejects.toThrow('ENOENT')
  })

  it('becomes what it was, byte by byte, also when its form does not survive editing', async () => {
    const odd = `{ "apiVersion": "v1",\r\n  "clusters": [],   "users" : [ ], "contexts":[] }   \r\n\n`
    await write(odd)
    expect(await mergeKubeconfig({ ...merge(), kubeconfig: ours(1) })).toBe('merged')
    expect((await stat(file)).mode & 0o777).toBe(0o640)
    expect(await mergeKubeconfig({ ...merge(), kubeconfig: ours(1) })).toBe('unchanged')
    expect(await mergeKubeconfig({ ...merge(), kubeconfig: ours(2) })).toBe('merged')
    expect(await unmergeKubeconfig(merge())).toBe('restored')
    expect(await readFile(file, 'utf8')).toBe(odd)
    expect(await unmergeKubeconfig(merge())).toBe('unchanged')
  })

  it('keeps what somebody has changed since', async () => {
    await write(theirs)
    await mergeKubeconfig({ ...merge(), kubeconfig: ours() })
    const changed = `${await readFile(file, 'utf8')}# a note\n`
    await writeFile(file, changed)
    expect(await unmergeKubeconfig(merge())).toBe('removed')
    expect(await readFile(file, 'utf8')).toBe(`${theirs}# a note\n`)
  })

  it('stays a link', async () => {
    await write(theirs)
    const link = join(folder, 'link')
    await symlink(file, link)
    await mergeKubeconfig({ ...merge(), file: link, kubeconfig: ours() })
    expect(await readFile(file, 'utf8')).toContain(context)
    expect(await readFile(link, 'utf8')).toContain(context)
  })

  it('is not touched while another program holds its lock', async () => {
    await write(theirs)
    await writeFile(`${file}.lock`, '')
    await expect(mergeKubeconfig({ ...merge(), kubeconfig: ours() })).rejects.toMatchObject({
      code: 'BAD_KUBECONFIG',
    })
    expect(await readFile(file, 'utf8')).toBe(theirs)
    expect((await stat(`${file}.lock`)).size).toBe(0)
  })
})
