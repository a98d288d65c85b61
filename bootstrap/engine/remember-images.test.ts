import { expect, it, vi } from 'vitest'
import { fakeEngine } from './fake-engine.ts'
import { rememberImages } from './remember-images.ts'

const signal = new AbortController().signal
const image = { id: 'sha256:1', refs: ['localhost/there:1'], labels: {} }

function asked() {
  const fake = fakeEngine()
  fake.images.push(image)
  const inspect = vi.spyOn(fake.engine, 'inspectImage')
  return { engine: rememberImages(fake.engine), inspect }
}

it('asks once about an image that is there', async () => {
  const { engine, inspect } = asked()
  expect(await engine.imageExists('localhost/there:1', signal)).toBe(true)
  expect(await engine.inspectImage('localhost/there:1', signal)).toEqual(image)
  expect(await engine.imageExists('localhost/there:1', signal)).toBe(true)
  expect(inspect).toHaveBeenCalledOnce()
})

it('asks again about one that is not', async () => {
  const { engine, inspect } = asked()
  expect(await engine.imageExists('localhost/absent:1', signal)).toBe(false)
  expect(await engine.inspectImage('localhost/absent:1', signal)).toBeUndefined()
  expect(inspect).toHaveBeenCalledTimes(2)
})

it('asks again after one was removed', async () => {
  const { engine } = asked()
  expect(await engine.imageExists('localhost/there:1', signal)).toBe(true)
  await engine.removeImage('localhost/there:1', signal)
  expect(await engine.imageExists('localhost/there:1', signal)).toBe(false)
})
