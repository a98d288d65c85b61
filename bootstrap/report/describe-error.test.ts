import { describe, expect, it } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { describeError } from './describe-error.ts'

describe('describeError', () => {
  it('tells the chain of causes without repeating itself, and the evidence of all', () => {
    const root = new Error('connect ECONNREFUSED')
    const inner = new LocalCloudError('API_UNREACHABLE', {
      message: 'No answer.',
      evidence: ['GET /readyz'],
      cause: root,
    })
    const error = new LocalCloudError('STEP_TIMEOUT', {
      message: 'Cluster did not finish.',
      evidence: ['$ kind'],
      cause: new Error('Cluster did not finish.', { cause: inner }),
    })
    expect(describeError(error)).toEqual({
      code: 'STEP_TIMEOUT',
      family: 'wait-timeout',
      exitCode: 6,
      message: 'Cluster did not finish.',
      causes: ['API_UNREACHABLE: No answer.', 'connect ECONNREFUSED'],
      hint: error.hint,
      evidence: ['$ kind', 'GET /readyz'],
    })
  })

  it('ends for a circle of causes and takes in all of an AggregateError', () => {
    const first = new Error('first')
    first.cause = new AggregateError([new Error('one'), new Error('two'), first], 'both')
    const error = new LocalCloudError('COMMAND_FAILED', { message: 'x', cause: first })
    expect(describeError(error).causes).toEqual(['first', 'both', 'one', 'two'])
  })

  it('removes secrets from every part', () => {
    const secret = 'password=hunter2-hunter2'
    const error = new LocalCloudError('INTERNAL', {
      message: secret,
      hint: secret,
      evidence: [secret],
      cause: new Error(`y ${secret}`),
    })
    expect(JSON.stringify(describeError(error, { stack: true }))).not.toContain('hunter2')
  })

  it('has the stack of defects only, unless asked', () => {
    const failed = new LocalCloudError('COMMAND_FAILED', { message: 'x' })
    expect(describeError(failed).stack).toBeUndefined()
    expect(describeError(failed, { stack: true }).stack).toContain('describe-error.test.ts')
    expect(describeError(new LocalCloudError('INTERNAL', { message: 'x' })).stack).toContain(
      'describe-error.test.ts',
    )
  })
})
