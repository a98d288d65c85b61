import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import {
  everyMinute,
  manualAnnotation,
  nextRuns,
  notBySchedule,
  ownedJobs,
  scheduledAnnotation,
  scheduledAt,
  untilMinute,
} from './schedule.ts'

const iso = (dates: Date[]) => dates.map((date) => date.toISOString())

describe('nextRuns', () => {
  it('counts from after the moment that is given', () => {
    expect(iso(nextRuns('0 0 * * *', 'Etc/UTC', new Date('2027-01-14T00:00:00Z'), 2))).toEqual([
      '2027-01-15T00:00:00.000Z',
      '2027-01-16T00:00:00.000Z',
    ])
  })

  it('means the hours of the time zone', () => {
    expect(iso(nextRuns('0 0 * * *', 'Asia/Tokyo', new Date('2027-01-14T00:00:00Z'), 1))).toEqual([
      '2027-01-14T15:00:00.000Z',
    ])
  })

  it('takes 0 for Sunday', () => {
    expect(nextRuns('0 3 * * 0', 'Etc/UTC', new Date('2027-01-14T00:00:00Z'), 1)[0]?.getUTCDay()).toBe(0)
  })

  it('refuses what is no expression', () => {
    expect(() => nextRuns('61 * * * *', 'Etc/UTC', new Date(), 1)).toThrow()
  })
})

const cronJob: KubeObject = {
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'tick', uid: 'one', creationTimestamp: '2027-01-14T00:00:20Z' },
  spec: { schedule: everyMinute, timeZone: 'Etc/UTC', startingDeadlineSeconds: 300 },
}
const job = (metadata: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: {
    name: 'tick-1',
    creationTimestamp: '2027-01-14T00:01:00Z',
    annotations: { [scheduledAnnotation]: '2027-01-14T00:01:00Z' },
    ownerReferences: [
      { apiVersion: 'batch/v1', kind: 'CronJob', name: 'tick', uid: 'one', controller: true },
    ],
    ...metadata,
  },
})

describe('notBySchedule', () => {
  it('has nothing against the first run of the schedule', () => {
    expect(notBySchedule(job(), cronJob)).toEqual([])
  })

  it.each<[string, Partial<KubeObject['metadata']>, RegExp]>([
    ['no owner', { ownerReferences: [] }, /controller is nobody/],
    [
      'another owner of the same name',
      {
        ownerReferences: [
          { apiVersion: 'batch/v1', kind: 'CronJob', name: 'tick', uid: 'two', controller: true },
        ],
      },
      /controller is CronJob two/,
    ],
    [
      'a start by hand',
      { annotations: { [scheduledAnnotation]: '2027-01-14T00:01:00Z', [manualAnnotation]: 'manual' } },
      /made by hand/,
    ],
    [
      'another moment',
      { annotations: { [scheduledAnnotation]: '2027-01-14T00:02:00Z' } },
      /not for 2027-01-14T00:01/,
    ],
    ['a start that is too late', { creationTimestamp: '2027-01-14T00:06:01Z' }, /301 s after/],
  ])('names %s', (_, metadata, problem) => {
    expect(notBySchedule(job(metadata), cronJob).join('; ')).toMatch(problem)
  })

  it('names a missing moment once', () => {
    expect(notBySchedule(job({ annotations: {} }), cronJob)).toEqual([`it has no ${scheduledAnnotation}`])
  })
})

it('reads the moment of the annotation', () => {
  expect(scheduledAt(job())?.toISOString()).toBe('2027-01-14T00:01:00.000Z')
  expect(scheduledAt(job({ annotations: { [scheduledAnnotation]: 'soon' } }))).toBeUndefined()
})

it('sorts the Jobs of one owner by age', () => {
  const second = job({ name: 'b', creationTimestamp: '2027-01-14T00:02:00Z' })
  const first = job({ name: 'c' })
  const foreign = job({ name: 'a', ownerReferences: [] })
  expect(ownedJobs([second, first, foreign], 'one').map(({ metadata }) => metadata.name)).toEqual(['c', 'b'])
})

it('tells the time until a full minute', () => {
  expect(untilMinute(new Date('2027-01-14T00:00:20Z'))).toBe(40_000)
  expect(untilMinute(new Date('2027-01-14T00:00:00Z'), 500)).toBe(60_500)
})
