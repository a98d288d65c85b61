import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { recordOf } from '../harness/record.ts'
import { evaluateIn } from '../harness/slate-pods.ts'
import { CheckBroke } from '../harness/verdict.ts'
import { readyPodOfWorkload, requireZones, zoneA } from '../harness/zones.ts'

/*
 * What the brain serves, asked from its own pod: OpenAI's interface (a decision, Z15), computed by the Ollama beside it, and that it says at
 * every turn that it is a stand-in.
 */
const note = /^\[stand-in for DeepSeek-V3\.2\b.*, not the model\] /
const question = {
  model: 'deepseek-v32',
  max_tokens: 12,
  messages: [{ role: 'user', content: 'Who are you?' }],
}

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireZones(cluster)
})
beforeEach(() => {
  requireZones(cluster)
})

interface Answer {
  status: number
  standIn: string | null
  type: string | null
  text: string
  /** Milliseconds after the first byte at which each piece came. */
  pieces: number[]
}

const ask = `(async () => {
  const response = await fetch('http://127.0.0.1:' + input.port + input.path, input.body === undefined ? {} : {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(input.body),
  })
  const pieces = []
  let text = ''
  let first
  const decoder = new TextDecoder()
  for await (const piece of response.body) {
    first ??= performance.now()
    pieces.push(Math.round(performance.now() - first))
    text += decoder.decode(piece, { stream: true })
  }
  const header = (name) => response.headers.get(name)
  return { status: response.status, standIn: header('x-omni-stand-in'), type: header('content-type'), text, pieces }
})()`

/** Asks a port of the brain's own loopback: its model server's, or Ollama's. */
async function askBrain(
  path: string,
  signal: AbortSignal,
  { port = 8000, body }: { port?: number; body?: unknown } = {},
): Promise<Answer> {
  const { name } = await readyPodOfWorkload(cluster, { namespace: zoneA, name: 'deepseek-v32' }, signal)
  return evaluateIn<Answer>(cluster, { namespace: zoneA, name }, ask, { path, port, body }, signal)
}

const eventsOf = (text: string): string[] =>
  text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => event.replace('data: ', ''))

/**
 * A streamed answer of 200 words and more, which take the tiny model a second: a short one can come in one piece where the CPU is short.
 * Its random weights end an answer at any word, so that seeds are tried until one goes on.
 */
async function longStream(signal: AbortSignal): Promise<Answer> {
  for (let seed = 1; seed <= 24; seed += 1) {
    const body = { ...question, max_tokens: 512, temperature: 1, seed, stream: true }
    const answer = await askBrain('/v1/chat/completions', signal, { body })
    if (answer.status !== 200 || eventsOf(answer.text).length > 200) return answer
  }
  throw new CheckBroke('No seed from 1 to 24 made the tiny model say 200 words.')
}

describe('the brain', () => {
  it('is healthy, has one model, and says on its page, in a header and in its answers what it is', async ({
    task,
    signal,
  }) => {
    const [health, models, page] = await Promise.all(
      ['/health', '/v1/models', '/'].map((path) => askBrain(path, signal)),
    )
    if (!health || !models || !page) throw new CheckBroke('Three questions have three answers.')
    expect([health.status, models.status, page.status]).toEqual([200, 200, 200])
    expect([health.standIn, models.standIn, page.standIn]).toEqual(['true', 'true', 'true'])
    expect(JSON.parse(health.text)).toMatchObject({ status: 'ok', standIn: true })
    expect((JSON.parse(models.text) as { data: { id: string }[] }).data.map(({ id }) => id)).toEqual([
      'deepseek-v32',
    ])
    expect(page.type).toMatch(/^text\/html/)
    expect(page.text).toContain('<strong>Stand-in.</strong> A stand-in for DeepSeek-V3.2')
    recordOf(task.meta).facts.push({ name: 'health', value: health.text })
  })

  it('answers by the Ollama beside it, which has the model of the volume', async ({ task, signal }) => {
    const words = async (seed: number): Promise<{ content: string; tokens: number }> => {
      const { status, text } = await askBrain('/v1/chat/completions', signal, {
        body: { ...question, temperature: 1, seed },
      })
      expect(status, text).toBe(200)
      const answer = JSON.parse(text) as {
        choices: { message: { content: string } }[]
        usage: { completion_tokens: number }
        omni: { standIn: boolean }
      }
      expect(answer.omni.standIn).toBe(true)
      return { content: answer.choices[0]?.message.content ?? '', tokens: answer.usage.completion_tokens }
    }
    const first = await words(1)
    expect(first.content).toMatch(note)
    expect(first.tokens).toBeGreaterThan(0)
    expect(first.tokens).toBeLessThanOrEqual(question.max_tokens)
    // Computed, and neither made up nor repeated: the same seed gives the same words, another one others.
    expect((await words(1)).content).toBe(first.content)
    expect((await words(2)).content).not.toBe(first.content)
    const running = await askBrain('/api/ps', signal, { port: 11_434 })
    const { models } = JSON.parse(running.text) as { models: { name: string; size: number }[] }
    expect(models.map(({ name }) => name)).toEqual(['deepseek-v32:latest'])
    recordOf(task.meta).facts.push(
      { name: 'answer', value: first.content },
      { name: 'Ollama runs', value: running.text.slice(0, 300) },
    )
  })

  it('streams: its words come one after the other, and [DONE] is last', async ({ task, signal }) => {
    const { status, type, text, pieces } = await longStream(signal)
    expect(status).toBe(200)
    expect(type).toMatch(/^text\/event-stream/)
    const events = eventsOf(text)
    expect(events.at(-1)).toBe('[DONE]')
    const chunks = events
      .slice(0, -1)
      .map((event) => JSON.parse(event) as { choices: { delta: { content?: string } }[] })
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toMatch(note)
    // Not all at once.
    expect(pieces.length).toBeGreaterThan(1)
    expect(pieces.at(-1)).toBeGreaterThan(0)
    recordOf(task.meta).facts.push({
      name: 'stream',
      value: `${String(chunks.length)} events in ${String(pieces.length)} pieces over ${String(pieces.at(-1))} ms`,
    })
  })

  it('refuses what it has not: another model, and more words than it takes', async ({ task, signal }) => {
    const refused = await Promise.all(
      [
        { ...question, model: 'gpt' },
        { ...question, messages: [{ role: 'user', content: 'x'.repeat(3001) }] },
      ].map((body) => askBrain('/v1/chat/completions', signal, { body })),
    )
    const taken = await askBrain('/v1/chat/completions', signal, { body: question })
    recordOf(task.meta).controls.push({
      negative: { title: 'refused', seen: refused.map(({ status }) => status).join(', ') },
      before: { title: 'the same question to its own model, short', seen: String(taken.status) },
      after: { title: 'the same question to its own model, short', seen: String(taken.status) },
    })
    expect(refused.map(({ status }) => status)).toEqual([404, 400])
    expect(taken.status).toBe(200)
  })
})
