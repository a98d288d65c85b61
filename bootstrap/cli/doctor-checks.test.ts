import { describe, expect, it } from 'vitest'
import { fakeEngine } from '../engine/fake-engine.ts'
import { catalogue } from '../errors/catalogue.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { judge, type DoctorFacts } from './doctor-checks.ts'
import { tell } from './doctor.ts'

const gib = 2 ** 30
const good: DoctorFacts = {
  paths: { repo: '/r', stateDir: '/r/.local-cloud', cacheDir: '/r/.local-cloud/cache' },
  nodeVersion: 'v24.1.0',
  limits: {
    platform: 'linux',
    arch: 'x64',
    root: true,
    distribution: { id: 'debian', version: '12', like: [] },
    capSysResource: true,
    nofileHard: 1_048_576,
    nprocHard: Infinity,
    cgroup: 'v2',
    cgroupV2Root: '/sys/fs/cgroup',
    storageIsOverlay: false,
    inotify: { maxUserInstances: 512, maxUserWatches: 524_288 },
    memory: 16 * gib,
    cpus: 4,
  },
  engine: fakeEngine().engine,
  canInstallEngine: true,
  freeOnState: 100 * gib,
  goVersion: 'go1.26.8',
  missingTools: [],
  gpu: {
    cards: {
      cards: [
        { index: 0, uuid: 'GPU-1', name: 'NVIDIA H200', memoryMib: 143_771, driver: '570.172.08' },
        { index: 1, uuid: 'GPU-2', name: 'NVIDIA H200', memoryMib: 143_771, driver: '570.172.08' },
      ],
    },
    toolkit: 'NVIDIA Container Toolkit CLI version 1.18.0',
    engine: { kind: 'docker', defaultRuntime: 'nvidia' },
    volumeMounts: true,
    inotify: { maxUserInstances: 512, maxUserWatches: 524_288 },
  },
  gvisor: {
    platform: 'linux',
    arch: 'x64',
    kernel: '6.1.0-13-amd64',
    seccompActions: ['trap', 'errno', 'allow'],
    ptraceScope: 1,
    userNamespaces: 96_365,
    capSysPtrace: true,
  },
  kind: { found: 'v0.33.0', wanted: 'v0.33.0' },
  registry: { available: true, reason: '' },
  cached: false,
  portHolders: [
    { port: 8080, holder: undefined, ours: false },
    { port: 8443, holder: 'conmon (process 7)', ours: true },
  ],
}
const { engine: _engine, ...withoutEngine } = good
const limits = (changed: Partial<DoctorFacts['limits']>): DoctorFacts => ({
  ...good,
  limits: { ...good.limits, ...changed },
})
const verdicts = (facts: DoctorFacts): Record<string, string> =>
  Object.fromEntries(
    judge(facts)
      .filter(({ verdict }) => verdict !== 'ok')
      .map(({ check, verdict }) => [check, verdict]),
  )

describe('the doctor', () => {
  it('finds nothing to say about a good machine', () => {
    expect(verdicts(good)).toEqual({})
  })

  it.each<[string, DoctorFacts, Record<string, string>]>([
    [
      'no CAP_SYS_RESOURCE, hybrid cgroups',
      limits({ capSysResource: false, cgroup: 'hybrid' }),
      { cgroup: 'warn', CAP_SYS_RESOURCE: 'warn' },
    ],
    ['no cgroup', limits({ cgroup: 'none' }), { cgroup: 'fail' }],
    ['little memory', limits({ memory: 2 * gib }), { memory: 'fail' }],
    ['one processor', limits({ cpus: 1 }), { processors: 'warn' }],
    ['low limits', limits({ nofileHard: 1024, nprocHard: 500 }), { 'open files': 'warn', processes: 'warn' }],
    [
      'few inotify instances',
      limits({ inotify: { maxUserInstances: 64, maxUserWatches: 1 } }),
      { inotify: 'warn' },
    ],
    ['no engine, one can be installed', withoutEngine, { 'container engine': 'warn' }],
    [
      'no engine and no right to install',
      { ...withoutEngine, canInstallEngine: false },
      { 'container engine': 'fail' },
    ],
    [
      'a dead engine, and none can be installed beside it',
      {
        ...withoutEngine,
        canInstallEngine: false,
        engineError: new LocalCloudError('ENGINE_DEAD', { message: 'docker does not answer.' }),
      },
      { 'container engine': 'fail' },
    ],
    [
      'a dead engine, and another can be installed beside it',
      {
        ...withoutEngine,
        engineError: new LocalCloudError('ENGINE_DEAD', { message: 'docker does not answer.' }),
      },
      { 'container engine': 'warn' },
    ],
    ['no disk space', { ...good, freeOnState: gib }, { disk: 'fail' }],
    [
      'no registry and too little space to build',
      { ...good, freeOnState: 15 * gib, registry: { available: false, reason: 'ENOTFOUND' } },
      { disk: 'warn', 'container registry': 'warn' },
    ],
    [
      'no registry and no Go: no image can be had',
      { ...good, goVersion: 'go1.19', registry: { available: false, reason: 'ENOTFOUND' } },
      { 'container registry': 'warn', Go: 'fail' },
    ],
    ['no Go, but a registry', { ...good, goVersion: undefined }, { Go: 'warn' }],
    [
      'a taken port',
      { ...good, portHolders: [{ port: 8080, holder: 'nginx', ours: false }] },
      { 'port 8080': 'warn' },
    ],
    [
      'cards that no container can get',
      { ...good, gpu: { ...good.gpu, toolkit: undefined } },
      { GPU: 'warn' },
    ],
    [
      'no card, whatever else is missing',
      { ...good, gpu: { ...good.gpu, cards: { reason: 'nvidia-smi finds no devices' }, toolkit: undefined } },
      {},
    ],
  ])('%s', (_words, facts, expected) => {
    expect(verdicts(facts)).toEqual(expected)
    for (const { verdict, remedy } of judge(facts)) expect(remedy === '').toBe(verdict === 'ok')
  })

  it('tells the cards, the first broken link before them, or that the mock is there', () => {
    const finding = (gpu: Partial<DoctorFacts['gpu']>) =>
      judge({ ...good, gpu: { ...good.gpu, ...gpu } }).find(({ check }) => check === 'GPU')
    expect(finding({})).toMatchObject({ verdict: 'ok', seen: '2 cards: NVIDIA H200' })
    expect(finding({ toolkit: undefined })).toEqual({
      check: 'GPU',
      verdict: 'warn',
      seen: '2 cards: NVIDIA H200. nvidia-ctk of the NVIDIA Container Toolkit is not on PATH.',
      remedy: catalogue.GPU_TOOLKIT_MISSING.hint,
    })
    expect(finding({ cards: { reason: 'nvidia-smi finds no devices' } })).toMatchObject({
      verdict: 'ok',
      seen: 'none; --gpu gives a mock (nvidia-smi finds no devices)',
    })
  })

  it('ends with exit code 3 when something needed is missing, after printing everything', async () => {
    const printed: string[] = []
    const context = { out: (text: string) => printed.push(text), json: true }
    await tell(context, good)
    await expect(tell(context, limits({ memory: gib }))).rejects.toMatchObject({
      code: 'PREREQUISITES_NOT_MET',
      exitCode: 3,
    })
    expect(printed.map((text) => (JSON.parse(text) as { ok: boolean }).ok)).toEqual([true, false])
  })
})
