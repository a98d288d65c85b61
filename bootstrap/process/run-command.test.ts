import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { pasteable, runCommand, throwIfAborted } from './run-command.ts'

const { signal } = new AbortController()
const sh = (script: string) => ['-c', script]

const caught = async (promise: Promise<unknown>): Promise<LocalCloudError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof LocalCloudError)) throw new Error(`expected a LocalCloudError, got ${String(error)}`)
  return error
}

describe('runCommand', () => {
  it('gives both streams untouched', async () => {
    const output = await runCommand('sh', sh('echo out; echo err >&2'), { signal })
    expect(output).toEqual({ exitCode: 0, stdout: 'out\n', stderr: 'err\n' })
  })

  it('gives input, directory and environment, and removes a variable', async () => {
    const output = await runCommand('sh', sh('cat; pwd; echo $A $HOME'), {
      signal,
      cwd: '/',
      input: 'hello ',
      env: { A: 'a', HOME: undefined },
    })
    expect(output.stdout).toBe('hello /\na\n')
  })

  it('streams a file in', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'local-cloud-run-'))
    try {
      const inputFile = path.join(folder, 'in')
      writeFileSync(inputFile, 'x'.repeat(300_000))
      expect((await runCommand('wc', ['-c'], { signal, inputFile })).stdout.trim()).toBe('300000')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('tells every line of both streams as it comes, without secrets', async () => {
    const lines: string[] = []
    await runCommand('sh', sh('echo one; echo two >&2; echo password=abcdefgh'), {
      signal,
      onLine: (line) => lines.push(line),
    })
    expect(lines.sort()).toEqual(['one', 'password=[removed]', 'two'])
  })

  it('shows the pasteable command, the exit code and the last lines of both streams', async () => {
    const script = 'for i in $(seq 1 50); do echo out $i; echo err $i >&2; done; exit 7'
    const error = await caught(runCommand('sh', sh(script), { signal, env: { A: 'b c' }, hint: 'Look.' }))
    expect(error).toMatchObject({
      code: 'COMMAND_FAILED',
      message: 'sh -c ended with exit code 7',
      hint: 'Look.',
    })
    expect(error.evidence[0]).toBe(`$ A='b c' sh -c '${script}'`)
    expect(error.evidence).toContain('out 50')
    expect(error.evidence).toContain('err 31')
    expect(error.evidence).not.toContain('err 30')
  })

  it('takes the exit codes for an answer that it is told to', async () => {
    expect((await runCommand('sh', sh('exit 3'), { signal, acceptExitCodes: [0, 3] })).exitCode).toBe(3)
    expect((await runCommand('sh', sh('exit 9'), { signal, acceptExitCodes: 'any' })).exitCode).toBe(9)
    expect(
      await caught(
        runCommand('sh', sh('exit 4'), { signal, acceptExitCodes: [0, 3], errorCode: 'BUILD_FAILED' }),
      ),
    ).toMatchObject({ code: 'BUILD_FAILED' })
  })

  it('names the signal that ended the program', async () => {
    expect((await caught(runCommand('sh', sh('kill -9 $$'), { signal }))).message).toBe(
      'sh -c was ended by SIGKILL',
    )
  })

  it('ends a program that takes too long', async () => {
    const error = await caught(runCommand('sleep', ['20'], { signal, timeoutMs: 100 }))
    expect(error.message).toBe('sleep 20 did not end within 100 ms')
  })

  it('says when the program is not installed', async () => {
    const error = await caught(runCommand('no-such-program', [], { signal }))
    expect(error).toMatchObject({
      code: 'MISSING_TOOL',
      message: 'The program no-such-program is not installed or not on PATH.',
    })
  })

  it('ends the program when the signal aborts, with the reason of ours', async () => {
    const controller = new AbortController()
    const reason = new LocalCloudError('STEP_TIMEOUT', { message: 'Too slow.' })
    setTimeout(() => {
      controller.abort(reason)
    }, 50)
    expect(await caught(runCommand('sleep', ['20'], { signal: controller.signal }))).toBe(reason)
    expect(await caught(runCommand('true', [], { signal: AbortSignal.abort() }))).toMatchObject({
      code: 'INTERRUPTED',
    })
  })
})

describe('pasteable', () => {
  it('quotes what a shell would take apart, and shows no secret', () => {
    expect(pasteable('echo', ['a b', "it's", '$HOME', '--token=abcdefgh'], { A: '1', B: undefined })).toBe(
      `A=1 echo 'a b' 'it'\\''s' '$HOME' --token=[removed]`,
    )
  })
})

describe('throwIfAborted', () => {
  it('throws nothing before', () => {
    throwIfAborted(signal)
  })
})
