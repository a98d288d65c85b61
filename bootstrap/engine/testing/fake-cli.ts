import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

export interface FakeAnswer {
  /** Shell pattern for the arguments joined by blanks; the first answer that fits is given. */
  when: string
  stdout?: string
  stderr?: string
  exit?: number
  /** Shell lines run before the answer. */
  then?: string
}

export interface FakeCli {
  program: string
  /** Arguments of every call so far, joined by blanks. */
  calls(): string[]
}

const shell = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Writes a program into `folder` that records its calls and answers as told; without a fitting answer it succeeds silently. */
export function fakeCli(folder: string, name: string, answers: readonly FakeAnswer[]): FakeCli {
  mkdirSync(folder, { recursive: true })
  const program = path.join(folder, name)
  const log = path.join(folder, `${name}.calls`)
  const cases = answers.map(({ when, stdout = '', stderr = '', exit = 0, then = '' }) => {
    const pattern = when
      .split('*')
      .map((part) => (part === '' ? '' : shell(part)))
      .join('*')
    return `${pattern})\n${then}\nprintf %s ${shell(stdout)}\nprintf %s ${shell(stderr)} >&2\nexit ${String(exit)};;`
  })
  writeFileSync(
    program,
    ['#!/bin/sh', `printf '%s\\n' "$*" >> ${shell(log)}`, 'case "$*" in', ...cases, 'esac', ''].join('\n'),
  )
  chmodSync(program, 0o755)
  return {
    program,
    calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []),
  }
}
