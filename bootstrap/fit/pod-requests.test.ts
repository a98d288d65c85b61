import { describe, expect, it } from 'vitest'
import { podRequests } from './pod-requests.ts'

const asks = (cpu: string, more: object = {}) => ({ resources: { requests: { cpu } }, ...more })

describe('podRequests', () => {
  it('adds the containers', () => {
    expect(podRequests({ containers: [asks('100m'), asks('1')] })).toEqual({ cpu: 1.1 })
  })

  it('takes the largest init container when that is more, for they run one after the other', () => {
    const containers = [asks('1')]
    expect(podRequests({ containers, initContainers: [asks('500m'), asks('500m')] })).toEqual({ cpu: 1 })
    expect(podRequests({ containers, initContainers: [asks('2')] })).toEqual({ cpu: 2 })
  })

  it('counts an init container that stays beside the containers, and beside those that start after it', () => {
    const stays = asks('1', { restartPolicy: 'Always' })
    expect(podRequests({ containers: [asks('1')], initContainers: [stays] })).toEqual({ cpu: 2 })
    expect(podRequests({ containers: [asks('1')], initContainers: [stays, asks('3')] })).toEqual({ cpu: 4 })
    expect(podRequests({ containers: [asks('1')], initContainers: [asks('1.5'), stays] })).toEqual({ cpu: 2 })
  })

  it('takes a limit for a request, and the defaults of the namespace for what is left open', () => {
    const defaults = { requests: { cpu: 0.1, memory: 256 }, limits: { cpu: 0.5, memory: 1024, 'x/y': 1 } }
    expect(podRequests({ containers: [{ resources: { limits: { cpu: '2' } } }] }, defaults)).toEqual({
      cpu: 2,
      memory: 256,
      'x/y': 1,
    })
    expect(podRequests({ containers: [{}] })).toEqual({})
  })

  it('adds what the runtime class costs', () => {
    expect(podRequests({ containers: [asks('1')], overhead: { cpu: '250m' } })).toEqual({ cpu: 1.25 })
  })
})
