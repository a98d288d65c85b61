import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { argumentsAfter } from './enter.mjs'
import { repository } from './arguments.mjs'

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs a program to its end; `during` may act once its output holds a text. */
function run(
  file: string,
  argv: string[],
  options: {
    cwd: string
    env?: Record<string, string>
    during?: { when: string; act: (kill: (signal: NodeJS.Signals) => void) => void }
  },
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // Where the state of whoever runs the tests is must not matter.
    const { LOCAL_CLOUD_STATE_DIR: _state, LOCAL_CLOUD_CACHE_DIR: _cache, ...inherited } = process.env
    const child = spawn(file, argv, { cwd: options.cwd, env: { ...inherited, CI: 'true', ...options.env } })
    let stdout = ''
    let stderr = ''
    let acted = false
    const seen = (): void => {
      if (!options.during || acted || !(stdout + stderr).includes(options.during.when)) return
      acted = true
      options.during.act((signal) => child.kill(signal))
    }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      seen()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      seen()
    })
    child.on('error', reject)
    child.on('close', (code) => {
      resolve({ code, stdout, stderr })
    })
  })
}

/** A checkout without dependencies. */
let bare = ''
/** A checkout with dependencies and with commands of this test's own. */
let ready = ''

const command = (body: string): string => `
import { setTimeout as delay } from 'node:timers/promises'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
export async function run({ out, emit, signal, values, json, paths }) {
  ${body}
}
`

beforeAll(() => {
  bare = mkdtempSync(path.join(tmpdir(), 'local-cloud-bare-'))
  for (const name of ['bootstrap', 'overlays', 'package.json', 'package-lock.json']) {
    if (existsSync(path.join(repository, name)))
      cpSync(path.join(repository, name), path.join(bare, name), { recursive: true })
  }
  ready = mkdtempSync(path.join(tmpdir(), 'local-cloud-ready-'))
  cpSync(bare, ready, { recursive: true })
  symlinkSync(path.join(repository, 'node_modules'), path.join(ready, 'node_modules'))
  const write = (name: string, body: string): void => {
    writeFileSync(path.join(ready, 'bootstrap', 'cli', `${name}.ts`), command(body))
  }
  write(
    'status',
    `emit({ type: 'notice', level: 'info', message: 'password=hunter2-secret' }); out(json ? JSON.stringify({ type: 'result', name: values.name, paths }) : 'result ' + values.name)`,
  )
  write(
    'doctor',
    `throw new LocalCloudError('NO_ENGINE', { message: 'No engine; token=abcdef123456.', evidence: ['$ podman info'], cause: new Error('spawn podman ENOENT') })`,
  )
  write('logs', `throw new TypeError('undefined is not a function')`)
  write('down', `out('waiting'); await delay(30_000, undefined, { signal })`)
  write('bundle', `out('waiting'); await delay(${String(30_000)})`)
})
afterAll(() => {
  for (const folder of [bare, ready]) rmSync(folder, { recursive: true })
})

describe('an entry script on a checkout without dependencies', () => {
  it('answers --help on standard output', async () => {
    const ended = await run('node', ['bootstrap/up.mjs', '--help'], { cwd: bare })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toContain('Usage: npx zx bootstrap/up.mjs')
  })

  it('refuses a wrong flag before anything is installed or changed', async () => {
    const before = readdirSync(bare).sort()
    const ended = await run('node', ['bootstrap/up.mjs', '--nodez', '2'], { cwd: bare })
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toBe(
      '✖ UNKNOWN_FLAG up has no flag --nodez.\n  → Did you mean --nodes? All flags: npx zx bootstrap/up.mjs --help\n',
    )
    expect(readdirSync(bare).sort()).toEqual(before)
  })

  it('refuses as one JSON line with --json', async () => {
    const ended = await run('node', ['bootstrap/up.mjs', '--nodes', '9', '--json'], { cwd: bare })
    expect(ended).toMatchObject({ code: 2, stderr: '' })
    expect(JSON.parse(ended.stdout)).toMatchObject({ type: 'error', code: 'BAD_VALUE', exitCode: 2 })
  })

  it('works through the executable bootstrap/down, from anywhere and through a link', async () => {
    const link = path.join(bare, 'link-to-down')
    symlinkSync(path.join(bare, 'bootstrap', 'down'), link)
    for (const file of [path.join(bare, 'bootstrap', 'down'), link]) {
      const ended = await run(file, ['--version'], { cwd: tmpdir() })
      expect(ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/^local-cloud /) as string })
    }
    rmSync(link)
  })
})

describe('an entry script under zx', () => {
  it.each([['--help'], ['--version'], ['--nodez']])('gets %s itself', async (flag) => {
    const zx = path.join(repository, 'node_modules', 'zx', 'build', 'cli.js')
    const plain = await run('node', ['bootstrap/up.mjs', flag], { cwd: ready })
    const underZx = await run('node', [zx, '--quiet', 'bootstrap/up.mjs', flag], { cwd: ready })
    expect(underZx).toEqual(plain)
  })

  it('takes what follows the script, wherever that is', () => {
    const script = path.join(ready, 'bootstrap', 'up.mjs')
    expect(argumentsAfter(script, ['node', script, '--json'])).toEqual(['--json'])
    expect(argumentsAfter(script, ['node', '/x/zx', '--quiet', script, '--name', script])).toEqual([
      '--name',
      script,
    ])
  })
})

describe('a command', () => {
  it('prints results on standard output and everything else on standard error, without secrets', async () => {
    const ended = await run('node', ['bootstrap/status.mjs', '--name', 'demo'], { cwd: ready })
    expect(ended).toMatchObject({ code: 0, stdout: 'result demo\n' })
    expect(ended.stderr).toContain('password=[removed]')
    expect(ended.stderr).not.toContain('hunter2')
  })

  it('prints JSON lines only on standard output with --json', async () => {
    const ended = await run('node', ['bootstrap/status.mjs', '--json', '--state-dir', 'there'], {
      cwd: ready,
    })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const lines = ended.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string })
    expect(lines.map((line) => line.type)).toEqual(['notice', 'result'])
    expect(lines[1]).toMatchObject({
      paths: {
        repo: ready,
        stateDir: path.join(ready, 'there'),
        cacheDir: path.join(ready, 'there', 'cache'),
      },
    })
  })

  it('ends with the code of the error and shows what, why, evidence and hint', async () => {
    const ended = await run('node', ['bootstrap/doctor.mjs'], { cwd: ready })
    expect(ended).toMatchObject({ code: 3, stdout: '' })
    expect(ended.stderr).toBe(
      [
        '✖ NO_ENGINE No engine; token=[removed]',
        '  because: spawn podman ENOENT',
        '  │ $ podman info',
        '  → Install Docker or Podman, then run the command again.',
        '',
      ].join('\n'),
    )
  })

  it('shows a defect with its stack', async () => {
    const ended = await run('node', ['bootstrap/logs.mjs'], { cwd: ready })
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain('✖ INTERNAL Unexpected: undefined is not a function')
    expect(ended.stderr).toMatch(/caused by: TypeError: undefined is not a function\n +at /)
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('ends with 130 on %s', async (signal) => {
    const during = {
      when: 'waiting',
      act: (kill: (signal: NodeJS.Signals) => void) => {
        kill(signal)
      },
    }
    const ended = await run('node', ['bootstrap/down.mjs'], { cwd: ready, during })
    expect(ended.code).toBe(130)
    expect(ended.stderr).toBe(
      `✖ INTERRUPTED Stopped by ${signal}.\n  → Run the same command again to go on, or bootstrap/down to remove everything.\n`,
    )
  })

  it('counts signals that come together as one, and ends at once on a later one', async () => {
    let second = 0
    const during = {
      when: 'waiting',
      act: (kill: (signal: NodeJS.Signals) => void) => {
        kill('SIGINT')
        // Of another name, for two of one may arrive as one.
        kill('SIGTERM')
        setTimeout(() => {
          second = Date.now()
          kill('SIGINT')
        }, 3000)
      },
    }
    const ended = await run('node', ['bootstrap/bundle.mjs'], { cwd: ready, during })
    expect(ended.code).toBe(130)
    expect(second).toBeGreaterThan(0)
  })
})
