import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseArguments } from './arguments.mjs'
import { commands, type CommandName } from './commands.mjs'

let cwd = ''
beforeAll(() => {
  cwd = mkdtempSync(path.join(tmpdir(), 'local-cloud-arguments-'))
  mkdirSync(path.join(cwd, 'overlays', 'slate', 'local'), { recursive: true })
  mkdirSync(path.join(cwd, 'overlays', 'zones', 'local'), { recursive: true })
  mkdirSync(path.join(cwd, 'overlays', 'athena', 'dev'), { recursive: true })
  mkdirSync(path.join(cwd, 'data'))
  writeFileSync(path.join(cwd, 'patch.yaml'), 'kind: ClusterConfiguration\n')
  writeFileSync(path.join(cwd, 'images.tar'), '')
})
afterAll(() => {
  rmSync(cwd, { recursive: true })
})

const parse = (command: CommandName, ...argv: string[]) =>
  parseArguments(command, argv, { cwd, repository: cwd })

const valuesOf = (command: CommandName, ...argv: string[]): Record<string, unknown> => {
  const parsed = parse(command, ...argv)
  if (parsed.kind !== 'run') throw new Error(JSON.stringify(parsed))
  return parsed.values
}

const problemOf = (command: CommandName, ...argv: string[]) => {
  const parsed = parse(command, ...argv)
  if (parsed.kind !== 'refused') throw new Error(`not refused: ${JSON.stringify(parsed)}`)
  return parsed.problem
}

describe('values', () => {
  it('has every default of up', () => {
    expect(valuesOf('up')).toEqual({
      name: 'local-cloud',
      system: 'slate',
      environment: 'local',
      models: 'tiny',
      gpuVendor: 'nvidia',
      gpuStrategy: 'cdi-cri',
      gpuReplicas: 1,
      provider: 'kind',
      nodes: 1,
      cni: 'cilium',
      engine: 'auto',
      images: { kind: 'auto' },
      httpPort: 8080,
      httpsPort: 8443,
      listenAddress: '127.0.0.1',
      kubeadmPatches: [],
      runtimeClasses: [],
      extraMounts: [],
      install: true,
      mergeKubeconfig: false,
      dryRun: false,
      recreate: false,
      timeoutMs: 1_200_000,
      json: false,
      plain: false,
      verbose: false,
    })
  })

  it('reads every form of a value', () => {
    const values = valuesOf(
      'up',
      ...['--name', 'demo-2', '--nodes=3', '--no-install', '--timeout', '1h30m', '--listen-address', '::1'],
      ...['--kubeadm-patch', 'patch.yaml', '--kubeadm-patch=patch.yaml', '--mount', 'data:/models:ro'],
      ...['--images', 'bundle:images.tar', '--kubernetes-version', 'v1.35.2', '--state-dir', '../s'],
    )
    expect(values).toMatchObject({
      name: 'demo-2',
      nodes: 3,
      install: false,
      timeoutMs: 5_400_000,
      listenAddress: '::1',
      kubeadmPatches: [path.join(cwd, 'patch.yaml'), path.join(cwd, 'patch.yaml')],
      extraMounts: [{ hostPath: path.join(cwd, 'data'), containerPath: '/models', readOnly: true }],
      images: { kind: 'bundle', file: path.join(cwd, 'images.tar') },
      kubernetesVersion: '1.35.2',
      stateDir: path.resolve(cwd, '../s'),
    })
  })

  it('parses the examples of every command', () => {
    writeFileSync(path.join(cwd, 'local-cloud-bundle.tar'), '')
    for (const [name, { examples }] of Object.entries(commands)) {
      for (const example of examples) {
        const [, argv = ''] = /^(?:npx zx )?bootstrap\/[a-z.]+ ?(.*)$/.exec(example) ?? []
        expect(parse(name as CommandName, ...argv.split(' ').filter(Boolean)), example).toMatchObject({
          kind: 'run',
        })
      }
    }
  })
})

describe('refusals', () => {
  it.each([
    [['--nodez', '2'], 'up has no flag --nodez.', '--nodes'],
    [['--engine', 'dokcer'], '--engine dokcer: must be auto, podman or docker.', '--engine docker'],
    [
      ['--images', 'package'],
      '--images package: must be auto, registry, packages or bundle:FILE.',
      '--images packages',
    ],
    [['--system', 'slat'], '--system slat: must be athena, slate, zones or none.', '--system slate'],
    [['--provider', 'kinds'], '--provider kinds: must be kind, k3s or existing.', '--provider kind'],
    [['verbose'], 'up takes no argument "verbose".', '--verbose'],
  ])('suggests for %j', (argv, message, suggestion) => {
    const problem = problemOf('up', ...argv)
    expect(problem.message).toBe(message)
    expect(problem.hint).toContain(`Did you mean ${suggestion}?`)
    expect(problem.hint).toContain('--help')
  })

  it.each([
    [['--system', 'slate,slate'], 'must name each system once, and none alone'],
    [['--system', 'slate,none'], 'must name each system once, and none alone'],
    [['--nodes', '5'], 'from 1 to 4'],
    [['--nodes', '1.5'], 'from 1 to 4'],
    [['--name', 'Demo'], 'RFC 1123'],
    [['--name', 'a'.repeat(33)], 'RFC 1123'],
    [['--http-port', '0'], 'from 1 to 65535'],
    [['--http-port', '8443'], 'must differ'],
    [['--listen-address', 'localhost'], 'IP address'],
    [['--kubeadm-patch', 'none.yaml'], 'there is no file'],
    [['--kubeadm-patch', 'data'], 'is not a file'],
    [['--images', 'bundle:none.tar'], 'there is no file'],
    [['--mount', 'data'], 'HOST:NODE'],
    [['--mount', 'missing:/x'], 'there is no'],
    [['--timeout', '20'], 'such as 90s'],
    [['--timeout', '25h'], 'from 1s to 24h'],
    [['--timeout', ''], 'such as 90s'],
    [['--kubernetes-version', '1.35'], 'full version'],
    [['--name'], 'needs a value'],
    [['--name', '--json'], 'needs a value'],
    [['--json=yes'], 'takes no value'],
    [['--name', 'a', '--name', 'b'], 'given twice'],
    [['--environment', 'prod'], '--overlay prod: the system slate has local'],
    [['--overlay', 'prod'], '--overlay prod: the system slate has local'],
    [['--overlay', 'local', '--environment', 'local'], '--overlay is given twice'],
    [['--models', 'huge'], 'must be tiny or real'],
    [['-n'], 'has no flag -n'],
    [['--'], 'has no flag --'],
    [['--__proto__', 'x'], 'has no flag'],
  ])('refuses %j', (argv, message) => {
    expect(problemOf('up', ...argv).message).toContain(message)
  })

  it('refuses --all with --name', () => {
    expect(problemOf('down', '--all', '--name', 'x').message).toContain('exclude each other')
  })

  it('knows each command only its own flags', () => {
    expect(problemOf('status', '--nodes', '2').code).toBe('UNKNOWN_FLAG')
  })

  it('says whether JSON was asked for', () => {
    expect(parse('up', '--nodez', '--json')).toMatchObject({ kind: 'refused', json: true })
  })
})

describe('help', () => {
  it.each(Object.keys(commands) as CommandName[])('of %s names every flag within 110 columns', (command) => {
    const parsed = parse(command, '--nonsense', '--help')
    if (parsed.kind !== 'print') throw new Error('no help')
    for (const flag of Object.keys(commands[command].flags)) expect(parsed.text).toContain(`--${flag}`)
    for (const line of parsed.text.split('\n')) expect(line.length).toBeLessThanOrEqual(112)
  })

  it('prints the version', () => {
    expect(parse('up', '--version')).toMatchObject({
      kind: 'print',
      text: expect.stringMatching(/^local-cloud \d/) as string,
    })
  })
})

describe('an existing cluster', () => {
  const existing = ['--provider', 'existing', '--context', 'staging']

  it('is named by its context, for up, down and status', () => {
    for (const command of ['up', 'down', 'status'] as const)
      expect(valuesOf(command, ...existing)).toMatchObject({ provider: 'existing', context: 'staging' })
    expect(valuesOf('up', ...existing, '--ingress-url', 'https://ingress.example/')['ingressUrl']).toBe(
      'https://ingress.example',
    )
  })

  it.each([
    ['up', '--nodes', '3'],
    ['up', '--cni', 'cilium'],
    ['up', '--gpu'],
    ['up', '--runtime-class', 'gvisor'],
    ['up', '--http-port', '9080'],
    ['up', '--recreate'],
    ['up', '--merge-kubeconfig'],
    ['up', '--engine', 'podman'],
    ['down', '--engine', 'podman'],
    ['status', '--engine', 'podman'],
  ] as const)('refuses for %s %s, which has to do with nodes that are made here', (command, ...flags) => {
    expect(problemOf(command, ...existing, ...flags).message).toContain(
      `${flags[0]} says nothing with --provider existing`,
    )
  })

  it.each([
    ['up', '--context', 'staging'],
    ['up', '--provider', 'k3s', '--ingress-url', 'http://h'],
    ['down', '--context', 'staging'],
    ['status', '--kubeconfig', 'patch.yaml'],
  ] as const)('refuses %s %s %s where no existing cluster is meant', (command, ...flags) => {
    expect(problemOf(command, ...flags).message).toContain('says nothing without --provider existing')
  })

  it('refuses what is no URL, and all clusters together with one', () => {
    expect(problemOf('up', ...existing, '--ingress-url', 'ingress').message).toContain('must be a URL')
    expect(problemOf('down', '--all', '--provider', 'existing').message).toContain('exclude each other')
  })
})

describe('GPUs', () => {
  it.each([
    [['--gpu'], { tier: 'auto', count: 2 }],
    [['--gpu', '--json'], { tier: 'auto', count: 2 }],
    [['--gpu=real'], { tier: 'real', count: 2 }],
    [['--gpu', 'mock'], { tier: 'mock', count: 2 }],
    [['--gpu=mock:16'], { tier: 'mock', count: 16 }],
    [[], undefined],
  ])('%j', (argv, gpu) => {
    expect(valuesOf('up', ...argv)['gpu']).toEqual(gpu)
  })

  it.each([['mock:0'], ['mock:17'], ['mock:999'], ['mock:'], ['mock:two'], ['fake'], ['']])(
    'refuses --gpu=%s with what it takes',
    (text) => {
      expect(problemOf('up', `--gpu=${text}`)).toMatchObject({
        code: 'BAD_VALUE',
        message: expect.stringContaining('auto, real, mock or mock:N with N from 1 to 16') as string,
      })
    },
  )

  it('says what another vendor would take', () => {
    expect(problemOf('up', '--gpu', '--gpu-vendor', 'amd').message).toContain(
      'is not supported yet: it takes',
    )
    expect(problemOf('up', '--gpu', '--gpu-vendor', 'intel').message).toContain('must be nvidia')
  })

  it('refuses what says nothing without --gpu', () => {
    expect(problemOf('up', '--gpu-replicas', '2').message).toBe('--gpu-replicas says nothing without --gpu.')
    expect(valuesOf('up', '--gpu', '--gpu-replicas', '2')['gpuReplicas']).toBe(2)
  })
})
