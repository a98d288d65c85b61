import { readFileSync } from 'node:fs'
import path from 'node:path'
import { format, resolveConfig } from 'prettier'
import { describe, expect, it } from 'vitest'
import { catalogue, type ErrorCode } from './catalogue.ts'
import { errorDocs } from './error-docs.ts'
import { LocalCloudError, exitCodes } from './local-cloud-error.ts'
import { toLocalCloudError } from './to-local-cloud-error.ts'

const codes = Object.keys(catalogue) as ErrorCode[]

describe('catalogue', () => {
  it.each(codes)('%s has a family with an exit code, a cause and a hint', (code) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
    const { family, cause, hint } = catalogue[code]
    expect(exitCodes[family]).toBeGreaterThan(0)
    expect(cause).toMatch(/\.$/)
    expect(hint.length).toBeGreaterThan(5)
  })

  it('is what docs/errors.md says (npm run docs:errors)', async () => {
    const file = path.resolve(import.meta.dirname, '..', '..', 'docs', 'errors.md')
    const wanted = await format(errorDocs(), { ...(await resolveConfig(file)), filepath: file })
    expect(readFileSync(file, 'utf8')).toBe(wanted)
  })

  it('appears in the docs with every code', () => {
    for (const code of codes) expect(errorDocs()).toContain(`\`${code}\``)
  })
})

describe('LocalCloudError', () => {
  it('takes family, exit code and hint from the catalogue unless it knows better', () => {
    const error = new LocalCloudError('PORT_TAKEN', { message: 'Port 8080 is taken.' })
    expect(error).toMatchObject({
      family: 'prerequisite',
      exitCode: 3,
      hint: catalogue.PORT_TAKEN.hint,
      evidence: [],
    })
    expect(new LocalCloudError('PORT_TAKEN', { message: 'x', hint: 'stop nginx' }).hint).toBe('stop nginx')
  })
})

describe('toLocalCloudError', () => {
  it('keeps ours, unwraps an abort caused by ours, and wraps the rest', () => {
    const ours = new LocalCloudError('INTERRUPTED', { message: 'Stopped.' })
    expect(toLocalCloudError(ours)).toBe(ours)
    expect(
      toLocalCloudError(Object.assign(new Error('aborted', { cause: ours }), { name: 'AbortError' })),
    ).toBe(ours)
    expect(toLocalCloudError('text')).toMatchObject({
      code: 'INTERNAL',
      message: 'Unexpected: text',
      cause: 'text',
    })
  })
})
