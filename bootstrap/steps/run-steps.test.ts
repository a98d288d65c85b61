import { mkdirSync, mkdtempSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Event } from '../report/events.ts'
import { orderSteps } from './order-steps.ts'
import { observeSteps, runSteps, undoSteps } from './run-steps.ts'
import type { Step } from './step.ts'

let folder = ''
let events: Event[] = []
let log: string[] = []
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'local-cloud-steps-'))
  events = []
  log = []
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const emit = (event: Event): void => {
  events.push(event)
}
const options = (signal = new AbortController().signal) => ({ emit, signal, settleMs: 300 })

/** A step whose world is a folder: done when it exists. */
function step(id: string, needs: string[] = [], change: Partial<Step> = {}): Step {
  const place = path.join(folder, id)
  return {
    id,
    title: `Folder ${id}`,
    needs,
    timeoutMs: 5_000,
    observe: async () => ({
      state: existsSync(place) ? 'done' : 'absent',
      reason: existsSync(place) ? 'is there' : 'is not there',
    }),
    apply: async ({ signal }) => {
      log.push(`apply ${id}`)
      await delay(10, undefined, { signal })
      mkdirSync(place)
      log.push(`applied ${id}`)
    },
    verify: async () => (existsSync(place) ? 'can be read' : 'cannot be read'),
    undo: async ({ signal }) => {
      log.push(`undo ${id}`)
      await delay(10, undefined, { signal })
      rmSync(place, { recursive: true, force: true })
      log.push(`undone ${id}`)
    },
    ...change,
  }
}

const caught = async (promise: Promise<unknown>): Promise<LocalCloudError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof LocalCloudError)) throw new Error(`expected a LocalCloudError, got ${String(error)}`)
  return error
}

const of = (type: Event['type']): Event[] => events.filter((event) => event.type === type)

/** Work that lasts until it is told to stop. */
const endless = ({ signal }: { signal: AbortSignal }): Promise<never> =>
  delay(60_000, undefined as never, { signal })

describe('orderSteps', () => {
  it('puts every step after its needs and otherwise keeps the order', () => {
    expect(orderSteps([step('c', ['a']), step('b'), step('a')]).map(({ id }) => id)).toEqual(['a', 'c', 'b'])
  })

  it.each([
    [[step('a', ['x'])], 'The step a needs x, which is no step.'],
    [[step('a', ['b']), step('b', ['c']), step('c', ['b'])], 'in a circle: b → c → b.'],
    [[step('a', ['a'])], 'a → a'],
    [[step('a'), step('a')], 'Two steps have the id a.'],
  ])('refuses a graph that cannot be ordered', async (steps, message) => {
    const error = await caught(runSteps(steps, options()))
    expect(error.code).toBe('INTERNAL')
    expect(error.message).toContain(message)
    expect(events).toEqual([])
  })
})

describe('runSteps', () => {
  it('applies and verifies after the needs, and says what it saw', async () => {
    const outcomes = await runSteps([step('c', ['a', 'b']), step('a'), step('b', ['a'])], options())
    expect(log).toEqual(['apply a', 'applied a', 'apply b', 'applied b', 'apply c', 'applied c'])
    expect(outcomes.map(({ id, outcome, seen }) => [id, outcome, seen])).toEqual([
      ['a', 'succeeded', 'can be read'],
      ['b', 'succeeded', 'can be read'],
      ['c', 'succeeded', 'can be read'],
    ])
    expect(of('succeeded')).toHaveLength(3)
  })

  it('runs independent steps at the same time, but no more than allowed', async () => {
    await runSteps([step('a'), step('b'), step('c')], options())
    expect(log.slice(0, 3)).toEqual(['apply a', 'apply b', 'apply c'])
    log = []
    rmSync(folder, { recursive: true })
    mkdirSync(folder)
    await runSteps([step('a'), step('b'), step('c')], { ...options(), concurrency: 1 })
    expect(log).toEqual(['apply a', 'applied a', 'apply b', 'applied b', 'apply c', 'applied c'])
  })

  it('leaves alone what is done, without verifying it', async () => {
    mkdirSync(path.join(folder, 'a'))
    const verify = () => Promise.reject(new Error('must not be called'))
    const outcomes = await runSteps([step('a', [], { verify }), step('b', ['a'])], options())
    expect(outcomes.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual(['a skipped', 'b succeeded'])
    expect(of('skipped')).toMatchObject([{ step: 'a', reason: 'is there' }])
    expect(log).toEqual(['apply b', 'applied b'])
  })

  it('stops everything at the first failure, waits for what runs, and throws the first cause', async () => {
    const failure = new LocalCloudError('BUILD_FAILED', { message: 'No compiler.' })
    const stopped = step('slow', [], {
      apply: async (run) => {
        try {
          await endless(run)
        } finally {
          await delay(50)
          log.push('slow stopped')
        }
      },
    })
    const broken = step('broken', [], { apply: () => delay(20).then(() => Promise.reject(failure)) })
    expect(await caught(runSteps([stopped, broken, step('after', ['broken'])], options()))).toBe(failure)
    expect(log).toEqual(['slow stopped'])
    expect(of('failed').map((event) => 'error' in event && `${event.step} ${event.error.code}`)).toEqual([
      'broken BUILD_FAILED',
      'slow INTERRUPTED',
    ])
    expect(events.some((event) => 'step' in event && event.step === 'after')).toBe(false)
  })

  it('fails when the probe does', async () => {
    const verify = () => Promise.reject(new LocalCloudError('PROBE_FAILED', { message: 'No answer.' }))
    expect(await caught(runSteps([step('a', [], { verify }), step('b', ['a'])], options()))).toMatchObject({
      code: 'PROBE_FAILED',
    })
    expect(log).toEqual(['apply a', 'applied a'])
  })

  it('names the step and its last progress when its deadline passes', async () => {
    const slow = step('slow', [], {
      timeoutMs: 60,
      apply: async (run) => {
        run.progress('building kubelet')
        await endless(run)
      },
    })
    const error = await caught(runSteps([slow], options()))
    expect(error).toMatchObject({
      code: 'STEP_TIMEOUT',
      message: 'Folder slow did not finish within 0.1 s; the last it reported was: building kubelet.',
    })
    expect(of('progress')).toEqual([{ type: 'progress', step: 'slow', message: 'building kubelet' }])
  })

  it('keeps what a step found out when it was stopped at its deadline', async () => {
    const waiting = new LocalCloudError('WAIT_TIMEOUT', {
      message: 'Pod web-1 is Pending.',
      evidence: ['no nodes'],
    })
    const slow = step('slow', [], {
      timeoutMs: 50,
      apply: (run) => endless(run).catch(() => Promise.reject(waiting)),
    })
    const error = await caught(runSteps([slow], options()))
    expect(error.code).toBe('STEP_TIMEOUT')
    expect(error.cause).toBe(waiting)
  })

  it('gives up a step that does not stop', async () => {
    const deaf = step('deaf', [], { timeoutMs: 50, apply: () => delay(5_000, undefined, { ref: false }) })
    const started = Date.now()
    expect(await caught(runSteps([deaf], options()))).toMatchObject({ code: 'STEP_TIMEOUT' })
    expect(Date.now() - started).toBeLessThan(2_000)
  })

  it('does not go on to verify a step that was stopped while applying', async () => {
    const controller = new AbortController()
    const verify = () => {
      log.push('verified')
      return Promise.resolve('')
    }
    const slow = step('slow', [], {
      apply: async () => {
        controller.abort()
        await delay(20)
      },
      verify,
    })
    await caught(runSteps([slow], options(controller.signal)))
    expect(log).toEqual([])
  })

  it('throws INTERRUPTED on a signal, after the running steps have stopped', async () => {
    const controller = new AbortController()
    const reason = new LocalCloudError('INTERRUPTED', { message: 'Stopped by SIGINT.' })
    setTimeout(() => {
      controller.abort(reason)
    }, 30)
    const slow = step('slow', [], { apply: (run) => endless(run).finally(() => log.push('stopped')) })
    expect(await caught(runSteps([slow, step('after', ['slow'])], options(controller.signal)))).toBe(reason)
    expect(log).toEqual(['stopped'])
  })

  it('does nothing when the signal has aborted before', async () => {
    expect(await caught(runSteps([step('a')], options(AbortSignal.abort())))).toMatchObject({
      code: 'INTERRUPTED',
    })
    expect(events).toEqual([])
  })

  it('calls an error of another kind a defect', async () => {
    const broken = step('a', [], { apply: () => Promise.reject(new TypeError('x is undefined')) })
    expect(await caught(runSteps([broken], options()))).toMatchObject({
      code: 'INTERNAL',
      cause: expect.any(TypeError) as TypeError,
    })
  })
})

describe('observeSteps', () => {
  it('reads all and changes nothing', async () => {
    mkdirSync(path.join(folder, 'a'))
    const rows = await observeSteps([step('b', ['a']), step('a')], options())
    expect(rows).toEqual([
      { id: 'a', title: 'Folder a', needs: [], state: 'done', reason: 'is there' },
      { id: 'b', title: 'Folder b', needs: ['a'], state: 'absent', reason: 'is not there' },
    ])
    expect(log).toEqual([])
  })

  it('calls a step unknown that cannot say, and absent when what it needs is', async () => {
    const observe = () => Promise.reject(new LocalCloudError('API_UNREACHABLE', { message: 'No answer.' }))
    mkdirSync(path.join(folder, 'there'))
    const rows = await observeSteps(
      [
        step('there'),
        step('gone'),
        step('x', ['there'], { observe }),
        step('y', ['gone'], { observe }),
        step('z', ['y'], { observe }),
      ],
      options(),
    )
    expect(rows.map(({ id, state, reason }) => [id, state, reason])).toEqual([
      ['there', 'done', 'is there'],
      ['gone', 'absent', 'is not there'],
      ['x', 'unknown', 'No answer.'],
      ['y', 'absent', 'comes after: Folder gone'],
      ['z', 'absent', 'comes after: Folder y'],
    ])
  })
})

describe('undoSteps', () => {
  it('takes back in reverse, what nothing else needs at the same time', async () => {
    const steps = [step('a'), step('b', ['a']), step('c', ['a']), step('kept', [])]
    delete steps[3]?.undo
    await runSteps(steps, options())
    log = []
    await undoSteps(steps, options())
    expect(log.slice(0, 2).sort()).toEqual(['undo b', 'undo c'])
    expect(log.slice(4)).toEqual(['undo a', 'undone a'])
    expect(existsSync(path.join(folder, 'kept'))).toBe(true)
    await undoSteps(steps, options())
  })

  it('goes on after a failure and reports all', async () => {
    const failing = (message: string) => ({
      undo: () => Promise.reject(new LocalCloudError('COMMAND_FAILED', { message })),
    })
    writeFileSync(path.join(folder, 'a'), '')
    const error = await caught(
      undoSteps(
        [step('a'), step('b', ['a'], failing('b stays')), step('c', ['a'], failing('c stays'))],
        options(),
      ),
    )
    expect(error.code).toBe('COMMAND_FAILED')
    expect(error.message).toContain('2 steps could not be taken back')
    expect([error.message, ...error.evidence].join('\n')).toMatch(
      /b stays[\s\S]*c stays|c stays[\s\S]*b stays/,
    )
    expect(existsSync(path.join(folder, 'a'))).toBe(false)
  })

  it('throws the only failure as it is', async () => {
    const failure = new LocalCloudError('LEFTOVERS', { message: 'a volume' })
    expect(await caught(undoSteps([step('a', [], { undo: () => Promise.reject(failure) })], options()))).toBe(
      failure,
    )
  })
})
