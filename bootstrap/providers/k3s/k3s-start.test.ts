import { describe, expect, it } from 'vitest'
import { startFailure, startState } from './k3s-start.ts'

const starting = 'level=info t=0.010 msg="server c at 10.0.0.2"\n'
const fatal =
  starting +
  'level=fatal t=0.512 stage=kube-apiserver msg="kube-apiserver ended with exit code 1"\n  Error: unknown flag: --nonsense\n'

describe('the log of a node that starts', () => {
  it('says what it does last', () => {
    expect(startState(starting, 'k3s-compatible', 'server')).toEqual({
      kind: 'starting',
      last: 'server c at 10.0.0.2',
    })
  })

  it.each([
    ['k3s', 'server', 'I1 node.go] "Node controller sync successful"'],
    ['k3s', 'agent', 'time="x" level=info msg="Remotedialer connected to proxy"'],
    ['k3s-compatible', 'server', 'level=info t=5.1 msg="this node is complete"'],
    ['k3s-compatible', 'agent', 'level=info t=5.1 msg="this node is complete"'],
  ] as const)('of %s as %s is ready with its own line', (flavour, role, line) => {
    expect(startState(`${starting}${line}\n`, flavour, role)).toEqual({ kind: 'ready' })
  })

  it('is not ready when only the API is: what the image brings comes after that', () => {
    const log = `${starting}level=info t=4.9 msg="Node controller sync successful"\n`
    expect(startState(log, 'k3s-compatible', 'server').kind).toBe('starting')
  })

  it('names the stage at which it failed', () => {
    expect(startState(fatal, 'k3s-compatible', 'server')).toEqual({
      kind: 'failed',
      stage: 'kube-apiserver',
      message: 'kube-apiserver ended with exit code 1',
    })
  })
})

it('the error has the stage, and the last lines without secrets', () => {
  const log = `${fatal}  --token=abcdef0123456789\n`
  const error = startFailure('c-control-plane', log, startState(log, 'k3s-compatible', 'server'))
  expect(error).toMatchObject({
    code: 'NODE_START_FAILED',
    message: expect.stringContaining(
      'ended at the stage kube-apiserver: kube-apiserver ended with exit code 1',
    ) as string,
  })
  expect(error.evidence.join('\n')).toContain('unknown flag: --nonsense')
  expect(error.evidence.join('\n')).not.toContain('abcdef0123456789')
})
