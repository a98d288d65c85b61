import { describe, expect, it } from 'vitest'
import { parsePrometheusText, sumOf } from './prometheus-text.ts'

const good = `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{route="/a",status="200"} 3
requests_total{route="/b \\"x\\"\\\\",status="404"} 1
# TYPE up gauge
up 1
# a comment
# TYPE seconds histogram
seconds_bucket{le="0.1"} 1
seconds_bucket{le="+Inf"} 2
seconds_sum 1.5e-1
seconds_count 2
`

describe('the text format of Prometheus', () => {
  it('is read with types, labels and values', () => {
    const families = parsePrometheusText(good)
    expect([...families.keys()]).toEqual(['requests_total', 'up', 'seconds'])
    expect(families.get('requests_total')).toMatchObject({ type: 'counter', help: 'Requests.' })
    expect(families.get('requests_total')?.samples[1]?.labels).toEqual({ route: '/b "x"\\', status: '404' })
    expect(families.get('seconds')?.samples.at(-2)?.value).toBe(0.15)
  })

  it('sums what has the labels that are asked for', () => {
    const families = parsePrometheusText(good)
    expect(sumOf(families, 'requests_total')).toBe(4)
    expect(sumOf(families, 'requests_total', { status: '404' })).toBe(1)
    expect(sumOf(families, 'nothing')).toBe(0)
  })

  it.each([
    ['no line feed at the end', '# TYPE a gauge\na 1'],
    ['a sample without a type', 'a 1\n'],
    ['a sample of another family', '# TYPE a gauge\nb 1\n'],
    ['a suffix that a counter does not have', '# TYPE a counter\na_count 1\n'],
    ['a second type', '# TYPE a gauge\n# TYPE a gauge\n'],
    ['an unknown type', '# TYPE a number\n'],
    ['the same series again', '# TYPE a gauge\na{x="1",y="2"} 1\na{y="2",x="1"} 2\n'],
    ['the same label twice', '# TYPE a gauge\na{x="1",x="2"} 1\n'],
    ['a label without quotes', '# TYPE a gauge\na{x=1} 1\n'],
    ['no number', '# TYPE a gauge\na one\n'],
    ['a negative counter', '# TYPE a counter\na -1\n'],
    ['a page of HTML', '<html></html>\n'],
    [
      'buckets that shrink',
      '# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
    ],
    ['a histogram without +Inf', '# TYPE a histogram\na_bucket{le="1"} 2\na_sum 1\na_count 2\n'],
  ])('refuses %s', (_, text) => {
    expect(() => parsePrometheusText(text)).toThrow()
  })
})
