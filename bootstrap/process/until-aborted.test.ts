import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { untilAborted } from './until-aborted.ts'

it('is what the work comes to, and leaves nothing on the signal', async () => {
  const { signal } = new AbortController()
  expect(await untilAborted(Promise.resolve('done'), signal)).toBe('done')
  await expect(untilAborted(Promise.reject(new Error('broken')), signal)).rejects.toThrow('broken')
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

it('does not wait for work that goes on after the signal', async () => {
  const controller = new AbortController()
  const waiting = untilAborted(new Promise(() => undefined), controller.signal)
  controller.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
})

it('refuses a signal that has aborted before', async () => {
  await expect(untilAborted(Promise.resolve('done'), AbortSignal.abort())).rejects.toMatchObject({
    code: 'INTERRUPTED',
  })
})
