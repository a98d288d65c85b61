import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { HostLimits } from '../host/host-limits.ts'
import type { Event } from '../report/events.ts'
import { openEngine, type OpenEngineOptions } from './detect-engine.ts'
import { fakeCli, type FakeAnswer } from './testing/fake-cli.ts'
import { temporaryFolder } from './testing/temporary-folder.ts'

const ordinary: HostLimits = {
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
  inotify: undefined,
  memory: 8 * 2 ** 30,
  cpus: 2,
}
const limited: HostLimits = { ...ordinary, capSysResource: false, nofileHard: 20_000, cgroup: 'hybrid' }

const podmanInfo = (version: string, backend = 'netavark', containers = 1): FakeAnswer => ({
  when: 'info --format json',
  stdout: JSON.stringify({
    host: { networkBackend: backend },
    store: { containerStore: { number: containers } },
    version: { Version: version },
  }),
})
const deadPodman: FakeAnswer = { when: 'info *', stderr: 'Error: cannot connect to the machine', exit: 125 }
const livingDocker: FakeAnswer = { when: 'version *', stdout: '28.2.2\n' }
const deadDocker: FakeAnswer = { when: 'version *', stderr: 'Cannot connect to the Docker daemon', exit: 1 }
const dockerName: FakeAnswer = { when: '--version', stdout: 'Docker version 28.2.2' }

let programs: string
let stateDir: string
let events: Event[]

beforeEach(() => {
  programs = temporaryFolder()
  stateDir = path.join(temporaryFolder(), 'state')
  events = []
  vi.stubEnv('PATH', programs)
  vi.stubEnv('CONTAINERS_CONF', undefined)
  vi.stubEnv('CONTAINERS_CONF_OVERRIDE', undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const open = (options: Partial<OpenEngineOptions> = {}) =>
  openEngine({
    choice: 'auto',
    paths: { stateDir },
    install: false,
    emit: (event) => events.push(event),
    signal: AbortSignal.timeout(60_000),
    limits: ordinary,
    exists: () => false,
    ...options,
  })
const docker = (...answers: FakeAnswer[]) => fakeCli(programs, 'docker', [dockerName, ...answers])
const podman = (...answers: FakeAnswer[]) => fakeCli(programs, 'podman', answers)
const notices = () => events.map((event) => (event.type === 'notice' ? event.message : event.type))

describe('which engine', () => {
  it('is docker when its daemon answers', async () => {
    docker(livingDocker)
    podman(podmanInfo('5.4.0'))
    const engine = await open()
    expect(engine).toMatchObject({
      kind: 'docker',
      version: '28.2.2',
      env: { KIND_EXPERIMENTAL_PROVIDER: 'docker' },
    })
    expect(events).toEqual([])
  })

  it('is podman when docker is a client only, and that is told', async () => {
    docker(deadDocker)
    podman(podmanInfo('5.4.0'))
    expect(await open()).toMatchObject({ kind: 'podman', version: '5.4.0' })
    expect(notices()).toEqual(['docker is installed, but its daemon does not answer: podman is used.'])
  })

  it('is podman when the program docker is podman in disguise', async () => {
    fakeCli(programs, 'docker', [{ when: '--version', stdout: 'podman version 5.4.0' }, livingDocker])
    podman(podmanInfo('5.4.0'))
    expect(await open()).toMatchObject({ kind: 'podman' })
  })

  it('is the chosen one, living or dead', async () => {
    docker(deadDocker)
    podman(podmanInfo('5.4.0'))
    await expect(open({ choice: 'docker' })).rejects.toMatchObject({
      code: 'ENGINE_DEAD',
      evidence: [expect.stringContaining('docker version'), 'Cannot connect to the Docker daemon'],
    })
    docker(livingDocker)
    expect(await open({ choice: 'podman' })).toMatchObject({ kind: 'podman' })
  })

  it('is an error when the only one is dead', async () => {
    docker(deadDocker)
    await expect(open()).rejects.toMatchObject({
      code: 'ENGINE_DEAD',
      message: expect.stringContaining('Cannot connect to the Docker daemon') as string,
    })
    podman(deadPodman)
    await expect(open()).rejects.toMatchObject({
      code: 'ENGINE_DEAD',
      evidence: expect.arrayContaining(['Error: cannot connect to the machine']) as string[],
    })
  })

  it('is an error with the commands to type when there is none', async () => {
    await expect(open()).rejects.toMatchObject({
      code: 'NO_ENGINE',
      message: expect.stringContaining('--no-install') as string,
      hint: expect.stringContaining('apt-get install --no-install-recommends podman runc') as string,
    })
    await expect(open({ choice: 'docker' })).rejects.toMatchObject({ code: 'NO_ENGINE' })
    await expect(open({ install: true, limits: { ...ordinary, root: false } })).rejects.toMatchObject({
      code: 'NO_ENGINE',
      hint: expect.stringContaining('sudo apt-get') as string,
    })
    await expect(
      open({
        install: true,
        limits: { ...ordinary, distribution: { id: 'fedora', version: '42', like: [] } },
      }),
    ).rejects.toMatchObject({
      code: 'NO_ENGINE',
      hint: expect.stringContaining('dnf install podman') as string,
    })
  })
})

describe('installation', () => {
  const apt = (knowsNetavark: boolean) => {
    // What apt-get install leaves: a podman that works.
    const made = podman(podmanInfo('4.3.1'))
    const kept = readFileSync(made.program, 'utf8')
    const gone = `${programs}/podman`
    fakeCli(programs, 'apt-cache', [{ when: 'show netavark', exit: knowsNetavark ? 0 : 100 }])
    const cli = fakeCli(programs, 'apt-get', [
      {
        when: '*install*',
        then: `printf %s '${kept.replaceAll("'", `'\\''`)}' > '${gone}.new'; /bin/chmod +x '${gone}.new'; /bin/mv '${gone}.new' '${gone}'`,
      },
    ])
    return {
      cli,
      remove: () => {
        rmSync(gone)
      },
    }
  }

  it('happens on Debian as root, is announced, and leads to an engine', async () => {
    docker(deadDocker)
    const { cli, remove } = apt(true)
    remove()
    expect(await open({ install: true })).toMatchObject({ kind: 'podman', version: '4.3.1' })
    expect(cli.calls()).toEqual([
      '-o DPkg::Lock::Timeout=300 update --quiet',
      '-o DPkg::Lock::Timeout=300 install --yes --quiet --no-install-recommends podman runc netavark aardvark-dns iptables ca-certificates',
    ])
    expect(notices().some((message) => message.startsWith('Installing podman, runc, netavark'))).toBe(true)
  })

  it('takes CNI and its name plugin where netavark is not packaged', async () => {
    const { cli, remove } = apt(false)
    remove()
    await open({ install: true })
    expect(cli.calls()[1]).toContain(
      'containernetworking-plugins golang-github-containernetworking-plugin-dnsname',
    )
    expect(cli.calls()[1]).not.toContain('netavark')
  })

  it('adds what makes names resolve when several nodes need it', async () => {
    fakeCli(programs, 'runc', [])
    podman(podmanInfo('4.3.1', 'cni', 0))
    fakeCli(programs, 'apt-cache', [])
    const netavark = path.join(programs, 'netavark')
    fakeCli(programs, 'apt-get', [{ when: '*install*netavark aardvark-dns*', then: `: > '${netavark}'` }])
    const exists = (file: string) => existsSync(netavark) && /netavark|aardvark-dns/.test(file)

    expect((await open({ install: true, limits: limited, exists })).resolvesNames).toBe(false)
    expect(existsSync(netavark)).toBe(false)
    expect((await open({ install: true, limits: limited, exists, needsNames: true })).resolvesNames).toBe(
      true,
    )
    expect(readFileSync(path.join(stateDir, 'engine', 'containers.conf'), 'utf8')).toContain(
      'network_backend = "netavark"',
    )
    expect(notices()).toContainEqual(expect.stringContaining('ours use netavark'))
  })

  it('does not happen when podman is there', async () => {
    const { cli } = apt(true)
    await open({ install: true })
    expect(cli.calls()).toEqual([])
  })
})

describe('configuration', () => {
  it('frees nodes from podman’s limit of processes on every host, without a word', async () => {
    podman(podmanInfo('5.4.0'))
    const engine = await open()
    const file = path.join(stateDir, 'engine', 'containers.conf')
    expect(engine.env).toEqual({ KIND_EXPERIMENTAL_PROVIDER: 'podman', CONTAINERS_CONF_OVERRIDE: file })
    expect(readFileSync(file, 'utf8')).toMatch(/^\[containers\]\npids_limit = 0$/m)
    expect(events).toEqual([])
  })

  it('leaves the user’s alone where podman reads one only and the host needs no other, and says what it should hold', async () => {
    const config = temporaryFolder()
    vi.stubEnv('XDG_CONFIG_HOME', config)
    mkdirSync(path.join(config, 'containers'))
    const theirs = path.join(config, 'containers', 'containers.conf')
    writeFileSync(theirs, '[containers]\n')
    podman(podmanInfo('4.3.1'))
    const engine = await open({ exists: existsSync })
    expect(engine.env).toEqual({ KIND_EXPERIMENTAL_PROVIDER: 'podman' })
    expect(notices()).toEqual([expect.stringContaining(`${theirs} is there: it should say "pids_limit = 0"`)])
    expect(existsSync(stateDir)).toBe(false)
  })

  it('is written below the state directory on a limited host, and each adaptation is told once', async () => {
    fakeCli(programs, 'runc', [])
    podman(podmanInfo('4.3.1'))
    const engine = await open({ limits: limited, needsNames: true })
    const file = path.join(stateDir, 'engine', 'containers.conf')
    expect(engine.env).toMatchObject({ CONTAINERS_CONF: file })
    expect(readFileSync(file, 'utf8')).toContain('"nofile=20000:20000"')
    expect(readdirSync(path.dirname(file))).toEqual(['containers.conf'])
    expect(notices().filter((message) => message.includes('runc'))).toHaveLength(1)
    expect(notices().filter((message) => message.includes('open files'))).toHaveLength(1)
  })

  it('is laid over the system’s from podman 5 on', async () => {
    fakeCli(programs, 'runc', [])
    podman(podmanInfo('5.4.0'))
    const { env } = await open({ limits: limited })
    expect(env).toHaveProperty('CONTAINERS_CONF_OVERRIDE')
    expect(env).not.toHaveProperty('CONTAINERS_CONF')
  })

  it('gives way to one that the environment names', async () => {
    vi.stubEnv('CONTAINERS_CONF', '/home/user/containers.conf')
    fakeCli(programs, 'runc', [])
    podman(podmanInfo('4.3.1'))
    const { env } = await open({ limits: limited })
    expect(env).not.toHaveProperty('CONTAINERS_CONF')
    expect(notices()[0]).toContain('/home/user/containers.conf')
    expect(existsSync(stateDir)).toBe(false)
  })

  it('hands a mirror configuration to podman, and says that docker takes none', async () => {
    podman(podmanInfo('5.4.0'))
    expect((await open({ registriesConf: '/m/registries.conf' })).env).toMatchObject({
      CONTAINERS_REGISTRIES_CONF: '/m/registries.conf',
    })
    docker(livingDocker)
    await open({ registriesConf: '/m/registries.conf' })
    expect(notices()[0]).toContain('daemon.json')
  })
})
