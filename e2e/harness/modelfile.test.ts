import { expect, it } from 'vitest'
import { modelDifferences, readModelfile, readParameters } from './modelfile.ts'

it('reads base, parameters and system text', () => {
  const text = 'FROM mistral\nPARAMETER temperature 0.4\nPARAMETER num_ctx 8192\nSYSTEM "You are …"\n'
  expect(readModelfile(text)).toEqual({
    from: 'mistral',
    parameters: { temperature: '0.4', num_ctx: '8192' },
    system: 'You are …',
  })
})

it('refuses another line', () => {
  expect(() => readModelfile('FROM a\nADAPTER b')).toThrow('ADAPTER b')
})

it('reads the parameters as Ollama shows them', () => {
  expect(
    readParameters('num_ctx                        8192\nstop                           "</s>"\n'),
  ).toEqual({
    num_ctx: '8192',
    stop: '"</s>"',
  })
})

it('names every way in which a model is not what its Modelfile says', () => {
  const modelfile = readModelfile('FROM mistral\nPARAMETER temperature 0.4\nSYSTEM "a"\n')
  const shown = {
    parameters: 'temperature 0.4\nstop "x"',
    system: 'a',
    details: { parent_model: 'mistral:latest' },
  }
  expect(modelDifferences(modelfile, shown)).toEqual({
    differences: [],
    seen: 'from mistral, temperature 0.4, stop "x"',
  })
  expect(
    modelDifferences(modelfile, { parameters: 'temperature 1', details: { parent_model: 'phi' } })
      .differences,
  ).toEqual(['base is phi, not mistral', 'system text is missing, not a', 'temperature is 1, not 0.4'])
})
