import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ExecResult } from '../../bootstrap/kube/client.ts'
import { probeScript, readConnect, readHttp } from './probe-script.ts'

/** A real shell runs the script; the clients in its PATH say what busybox 1.35.0 said when it was tried (recorded). */
let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'probe-'))
  for (const tool of ['sh', 'sed', 'cat']) symlinkSync(`/bin/${tool}`, path.join(folder, tool))
  client('timeout', 'shift; exec "$@"')
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

function client(name: string, body: string): void {
  const file = path.join(folder, name)
  writeFileSync(file, `#!/bin/sh\n${body}\n`)
  chmodSync(file, 0o755)
}

const run = (...args: string[]): Promise<ExecResult> =>
  new Promise((resolve) => {
    const child = execFile(
      '/bin/sh',
      ['-c', probeScript, 'probe', ...args],
      { env: { PATH: folder } },
      (_, stdout, stderr) => {
        resolve({ exitCode: child.exitCode ?? -1, stdout, stderr })
      },
    )
  })

const tcp = async (host = '10.96.0.10') => readConnect(await run('tcp', host, '80', '2'))
const get = async (host = '10.96.0.10', ...more: string[]) =>
  readHttp(await run('http', host, '80', '2', '/', ...more))

const resolves =
  'printf "Server:\\t\\t10.96.0.10\\nAddress:\\t10.96.0.10:53\\n\\nName:\\t%s\\nAddress: 10.1.2.3\\n\\n" "$2"'

describe('tcp', () => {
  it('is connected only when the program behind nc -e ran', async () => {
    client('nc', '[ "$5" = -e ] || exit 9; shift 5; exec "$@"')
    expect(await tcp()).toEqual({ kind: 'connected', detail: 'connected' })
    client('nc', 'exit 0')
    expect((await tcp()).kind).toBe('could-not-run')
  })

  it.each([
    ['refused', `echo "nc: can't connect to remote host (10.96.0.10): Connection refused" >&2; exit 1`],
    ['timeout', `echo "nc: timed out" >&2; exit 1`],
    ['timeout', 'exit 143'],
    [
      'unreachable',
      `echo "nc: can't connect to remote host (10.96.0.10): Network is unreachable" >&2; exit 1`,
    ],
    ['could-not-run', 'exit 139'],
    ['could-not-run', 'echo "nc: invalid option -- e" >&2; exit 1'],
  ])('%s: %s', async (kind, body) => {
    client('nc', body)
    expect((await tcp()).kind).toBe(kind)
  })

  it('resolves a name first and connects to its address', async () => {
    client('nslookup', resolves)
    client('nc', 'echo "nc: can\'t connect to remote host ($3): Connection refused" >&2; exit 1')
    expect(await tcp('web.default.svc.cluster.local')).toEqual({
      kind: 'refused',
      detail: "nc: can't connect to remote host (10.1.2.3): Connection refused",
    })
  })

  it.each([
    [
      'dns-failure',
      `printf "Server:\\t\\t10.96.0.10\\nAddress:\\t10.96.0.10:53\\n\\n** server can't find x: NXDOMAIN\\n"; exit 1`,
    ],
    ['dns-failure', 'echo ";; connection timed out; no servers could be reached"; exit 1'],
    ['dns-failure', 'exit 143'],
    ['could-not-run', 'echo "sh: nslookup: not found"; exit 127'],
  ])('%s when the resolver does: %s', async (kind, body) => {
    client('nslookup', body)
    client('nc', 'shift 5; exec "$@"')
    expect((await tcp('x.default.svc.cluster.local')).kind).toBe(kind)
  })

  it('did not run when the exec did not', () => {
    expect(readConnect({ exitCode: 126, stdout: '', stderr: 'OCI runtime exec failed' })).toEqual({
      kind: 'could-not-run',
      detail: 'the client did not run to its end (exit 126): OCI runtime exec failed',
    })
  })

  it('did not run when the shell was killed half-way', () => {
    expect(readConnect({ exitCode: 137, stdout: 'local-cloud-probe-connected\n', stderr: '' }).kind).toBe(
      'could-not-run',
    )
  })
})

describe('http', () => {
  const answer = (status: string, body: string) =>
    `printf '  HTTP/1.1 ${status}\\r\\n  x-slate-service: core\\r\\n  Connection: close\\r\\n  \\r\\n' >&2; printf '${body}'`

  it('reads status, headers and body', async () => {
    client('wget', answer('200 OK', '{"a":1}\\n\\nlast'))
    expect(await get()).toEqual({
      kind: 'answered',
      status: 200,
      headers: { 'x-slate-service': 'core', connection: 'close' },
      body: '{"a":1}\n\nlast',
    })
  })

  it('reads an empty body', async () => {
    client('wget', answer('204 No Content', ''))
    expect(await get()).toMatchObject({ kind: 'answered', status: 204, body: '' })
  })

  it('asks the address and names the host', async () => {
    client('nslookup', resolves)
    client('wget', `printf '  HTTP/1.1 200 OK\\n  \\n' >&2; for word in "$@"; do echo "[$word]"; done`)
    const outcome = await get('web.default.svc', '--post-data', '{"a": 1}')
    expect(outcome.kind === 'answered' && outcome.body).toContain(
      '[--header]\n[Host: web.default.svc:80]\n[--post-data]\n[{"a": 1}]\n[http://10.1.2.3:80/]',
    )
  })

  it('knows a status that wget takes for a failure', async () => {
    client(
      'wget',
      'printf "  HTTP/1.1 404 Not Found\\nwget: server returned error: HTTP/1.1 404 Not Found\\n" >&2; exit 1',
    )
    expect(await get()).toEqual({ kind: 'answered', status: 404, headers: {}, body: '' })
  })

  it('does not take half an answer for an answer', async () => {
    client('wget', `${answer('200 OK', 'half')}; exit 143`)
    expect((await get()).kind).toBe('timeout')
  })

  it.each([
    ['refused', `echo "wget: can't connect to remote host (10.96.0.10): Connection refused" >&2; exit 1`],
    ['timeout', 'exit 143'],
    ['could-not-run', 'exit 139'],
  ])('%s: %s', async (kind, body) => {
    client('wget', body)
    expect((await get()).kind).toBe(kind)
  })
})
