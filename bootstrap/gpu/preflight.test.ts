import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { fakeCli } from '../engine/testing/fake-cli.ts'
import { temporaryFolder } from '../engine/testing/temporary-folder.ts'
import { catalogue, type ErrorCode } from '../errors/catalogue.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { judgeGpuHost, readGpuHost, type GpuWorld } from './preflight.ts'

const { signal } = new AbortController()
const mountsOn = 'accept-nvidia-visible-devices-as-volume-mounts = true\n'
const dockerInfo = (defaultRuntime: string) =>
  JSON.stringify({ Runtimes: { nvidia: {}, runc: {} }, DefaultRuntime: defaultRuntime })

/** A machine as folders: files below `root`, programs on `searchPath`. `undefined` takes a file or program away. */
interface Machine {
  files: Record<string, string | undefined>
  /** What a program prints; `exit` other than 0 when it fails. */
  programs: Record<string, { stdout?: string; exit?: number } | undefined>
}

/** Everything a docker cluster with a card needs. */
const whole: Machine = {
  files: {
    'etc/nvidia-container-runtime/config.toml': `${mountsOn}\n[nvidia-container-cli]\nenvironment = []\n`,
    'proc/sys/fs/inotify/max_user_instances': '512\n',
    'proc/sys/fs/inotify/max_user_watches': '65536\n',
  },
  programs: {
    'nvidia-smi': { stdout: '0, GPU-1, NVIDIA H200, 143771, 525.60.13\n' },
    'nvidia-ctk': { stdout: 'NVIDIA Container Toolkit CLI version 1.18.0\ncommit: 1\n' },
    docker: { stdout: dockerInfo('nvidia') },
  },
}

function put({ files, programs }: Machine): GpuWorld {
  const root = temporaryFolder()
  const searchPath = temporaryFolder()
  for (const [file, text] of Object.entries(files)) {
    if (text === undefined) continue
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), text)
  }
  for (const [name, answer] of Object.entries(programs)) {
    if (answer !== undefined) fakeCli(searchPath, name, [{ when: '*', ...answer }])
  }
  return { root, searchPath }
}

const changed = ({ files = {}, programs = {} }: Partial<Machine>): Machine => ({
  files: { ...whole.files, ...files },
  programs: { ...whole.programs, ...programs },
})
const judge = async (machine: Partial<Machine>, engine: 'docker' | 'podman' | 'none' = 'docker') =>
  judgeGpuHost(await readGpuHost(engine === 'none' ? undefined : engine, signal, put(changed(machine))))

const noMounts = { 'etc/nvidia-container-runtime/config.toml': undefined }

describe('a chain that holds', () => {
  it.each<[string, Partial<Machine>, 'docker' | 'podman' | 'none']>([
    ['docker with NVIDIA’s runtime', {}, 'docker'],
    ['no engine: its links are told elsewhere', { programs: { docker: undefined }, files: noMounts }, 'none'],
    [
      'nothing that limits inotify',
      {
        files: {
          'proc/sys/fs/inotify/max_user_instances': undefined,
          'proc/sys/fs/inotify/max_user_watches': undefined,
        },
      },
      'docker',
    ],
  ])('%s', async (_words, machine, engine) => {
    expect(await judge(machine, engine)).toBeUndefined()
  })
})

describe('a chain with one broken link', () => {
  it.each<[string, Partial<Machine>, 'docker' | 'podman', ErrorCode, RegExp]>([
    [
      'no nvidia-smi',
      { programs: { 'nvidia-smi': undefined } },
      'docker',
      'GPU_NO_CARD',
      /nvidia-smi, .* is not on PATH\.$/,
    ],
    [
      'a driver that does not answer',
      { programs: { 'nvidia-smi': { stdout: "couldn't communicate with the NVIDIA driver", exit: 9 } } },
      'docker',
      'GPU_NO_CARD',
      /couldn't communicate with the NVIDIA driver\.$/,
    ],
    [
      'an old driver',
      { programs: { 'nvidia-smi': { stdout: '0, GPU-1, Tesla T4, 15360, 525.60.12\n' } } },
      'docker',
      'GPU_DRIVER_TOO_OLD',
      /is 525\.60\.12;.*525\.60\.13 or newer/,
    ],
    ['no toolkit', { programs: { 'nvidia-ctk': undefined } }, 'docker', 'GPU_TOOLKIT_MISSING', /nvidia-ctk/],
    [
      'an old toolkit',
      {
        programs: { 'nvidia-ctk': { stdout: 'NVIDIA Container Toolkit CLI version 1.17.8\ncommit: 2.0\n' } },
      },
      'docker',
      'GPU_TOOLKIT_TOO_OLD',
      /says "NVIDIA Container Toolkit CLI version 1\.17\.8"; 1\.18 or newer/,
    ],
    [
      'a toolkit that fails',
      { programs: { 'nvidia-ctk': { stdout: 'version 1.18.0', exit: 1 } } },
      'docker',
      'GPU_TOOLKIT_TOO_OLD',
      /does not tell its version/,
    ],
    [
      'docker with another default runtime',
      { programs: { docker: { stdout: dockerInfo('runc') } } },
      'docker',
      'GPU_ENGINE_RUNTIME',
      /default runtime is runc, not nvidia\.$/,
    ],
    [
      'docker that does not answer',
      { programs: { docker: { stdout: '', exit: 1 } } },
      'docker',
      'GPU_ENGINE_RUNTIME',
      /does not tell its runtimes/,
    ],
    ['podman, whatever docker has', {}, 'podman', 'GPU_ENGINE_RUNTIME', /^podman hands out a card only/],
    ['no config of NVIDIA’s runtime', { files: noMounts }, 'docker', 'GPU_MOUNTS_OFF', /config\.toml/],
    [
      'mounts only in a comment and in a table',
      {
        files: {
          'etc/nvidia-container-runtime/config.toml': `#${mountsOn}[nvidia-container-runtime]\n${mountsOn}`,
        },
      },
      'docker',
      'GPU_MOUNTS_OFF',
      /volume-mounts = true/,
    ],
    [
      'mounts off',
      { files: { 'etc/nvidia-container-runtime/config.toml': mountsOn.replace('true', 'false') } },
      'docker',
      'GPU_MOUNTS_OFF',
      /volume-mounts = true/,
    ],
    [
      'few inotify instances',
      { files: { 'proc/sys/fs/inotify/max_user_instances': '511\n' } },
      'docker',
      'GPU_INOTIFY_LIMITS',
      /511 instances and 65536 watches; 512 and 65536/,
    ],
    [
      'few inotify watches',
      { files: { 'proc/sys/fs/inotify/max_user_watches': '65535\n' } },
      'docker',
      'GPU_INOTIFY_LIMITS',
      /512 instances and 65535 watches/,
    ],
  ])('%s', async (_words, machine, engine, code, message) => {
    const error = await judge(machine, engine)
    expect(error).toMatchObject({ code, evidence: [] })
    expect(error?.message).toMatch(message)
  })

  it('tells the command for the engine that is used', async () => {
    const docker = await judge({ programs: { docker: { stdout: dockerInfo('runc') } } })
    expect(docker?.hint).toMatch(/^Run: nvidia-ctk runtime configure --runtime=docker --set-as-default/)
    expect((await judge({}, 'podman'))?.hint).toMatch(/^Use docker .*--engine docker/)
  })
})

it('names the first of several broken links, and the others with their remedies in its evidence', async () => {
  const error = await judge({
    programs: { 'nvidia-smi': undefined, 'nvidia-ctk': undefined },
    files: { ...noMounts, 'proc/sys/fs/inotify/max_user_instances': '128\n' },
  })
  expect(error?.code).toBe('GPU_NO_CARD')
  const codes = ['GPU_TOOLKIT_MISSING', 'GPU_MOUNTS_OFF', 'GPU_INOTIFY_LIMITS'] as const
  expect(error?.evidence.map((line) => line.split(':')[0])).toEqual(codes)
  codes.forEach((code, index) => {
    expect(error?.evidence[index]).toContain(catalogue[code].hint)
  })
})

describe('readGpuHost', () => {
  it('asks docker only when docker is the engine', async () => {
    const world = put(whole)
    const docker = fakeCli(world.searchPath, 'docker', [{ when: '*', stdout: dockerInfo('nvidia') }])
    expect((await readGpuHost('podman', signal, world)).engine).toEqual({ kind: 'podman' })
    expect((await readGpuHost(undefined, signal, world)).engine).toBeUndefined()
    expect(docker.calls()).toEqual([])
    expect((await readGpuHost('docker', signal, world)).engine).toEqual({
      kind: 'docker',
      defaultRuntime: 'nvidia',
    })
    expect(docker.calls()).toEqual(['info --format {{json .}}'])
  })

  it('throws the reason of an abort while a program runs', async () => {
    const world = put(whole)
    rmSync(path.join(world.searchPath, 'nvidia-smi'))
    fakeCli(world.searchPath, 'docker', [{ when: '*', then: 'exec sleep 20' }])
    const reason = new LocalCloudError('STEP_TIMEOUT', { message: 'Too slow.' })
    const controller = new AbortController()
    setTimeout(() => {
      controller.abort(reason)
    }, 50)
    await expect(readGpuHost('docker', controller.signal, world)).rejects.toBe(reason)
  })
})
