import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readSystemFile, variantsOf } from './system-file.ts'

let repo = ''
beforeEach(() => {
  repo = mkdtempSync(join(tmpdir(), 'system-file-'))
  mkdirSync(join(repo, 'manifests', 'x'), { recursive: true })
})
afterEach(() => {
  rmSync(repo, { recursive: true })
})
const write = (text: string): void => {
  writeFileSync(join(repo, 'manifests', 'x', 'system.yaml'), text)
}
const text = `
options:
  models:
    tiny: {}
    real: { drop: [tiny-models], add: [real-models], notice: It pulls., needsNetwork: true }
`

describe('readSystemFile', () => {
  it('takes a system without the file for one without options', async () => {
    expect(await readSystemFile(repo, 'x')).toEqual({ options: {}, runtimeClasses: [], hostPolicies: false })
    write('')
    expect(await readSystemFile(repo, 'x')).toEqual({ options: {}, runtimeClasses: [], hostPolicies: false })
  })

  it('fills in what is left out', async () => {
    write(text)
    expect((await readSystemFile(repo, 'x')).options['models']?.['tiny']).toEqual({
      add: [],
      drop: [],
      needsNetwork: false,
    })
  })

  it('reads the runtime classes that the system needs', async () => {
    write('runtimeClasses: [gvisor]')
    expect((await readSystemFile(repo, 'x')).runtimeClasses).toEqual(['gvisor'])
  })

  it.each([
    ['runtimeClasses: [kata]', 'runtimeClasses.0'],
    ['options: { models: { real: { colour: red } } }', 'colour'],
    ['options: [1]', 'options'],
    ['a: [', 'no YAML'],
  ])('names what is wrong with %s', async (wrong, words) => {
    write(wrong)
    await expect(readSystemFile(repo, 'x')).rejects.toMatchObject({
      code: 'BAD_SYSTEM_FILE',
      message: expect.stringContaining(words) as string,
    })
  })
})

describe('variantsOf', () => {
  it('gives what the chosen values change', async () => {
    write(text)
    const file = await readSystemFile(repo, 'x')
    expect(variantsOf(file, 'x', {})).toEqual([])
    expect(variantsOf(file, 'x', { models: 'real' })).toEqual([
      { drop: ['tiny-models'], add: ['real-models'], notice: 'It pulls.', needsNetwork: true },
    ])
  })

  it('refuses an option or a value that the system does not have', async () => {
    write(text)
    const file = await readSystemFile(repo, 'x')
    expect(() => variantsOf(file, 'x', { size: 'big' })).toThrow(
      '--size big: the system x has no such option',
    )
    // What the cluster has is no wish about the system.
    expect(variantsOf(file, 'x', { gpu: 'on' })).toEqual([])
    expect(() => variantsOf(file, 'x', { models: 'huge' })).toThrow('has tiny, real')
  })
})
