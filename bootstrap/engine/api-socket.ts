import { existsSync, mkdirSync, rmSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { execa } from 'execa'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Engine } from './engine.ts'

/** Where an engine's API is listened for. Leaving its scope ends what was started for it. */
export interface ApiSocket extends AsyncDisposable {
  /** For DOCKER_HOST: `unix:///…` or `tcp://…`. */
  url: string
  /** Whether podman's service was started for this. */
  started: boolean
  /** Whether it still answers. */
  answers(signal: AbortSignal): Promise<boolean>
}

/** Milliseconds that an API may take to answer, and a service to begin to. */
const answerMs = 3_000
const startMs = 20_000
/** Seconds after which podman's service ends by itself when nobody asks: that is when its user was killed. */
const idleSeconds = 60
/** Milliseconds between two requests that keep it. */
const keepMs = 20_000

export interface ApiSocketOptions {
  /** Folder for the socket of a service that is started. */
  folder: string
  signal: AbortSignal
  /** Replaced in tests. */
  variables?: Readonly<Record<string, string | undefined>>
}

/**
 * The engine's API for programs that speak Docker's protocol: DOCKER_HOST where it is set, else docker's own socket, or a service of podman's that is
 * started for the caller and has the same configuration as its command line.
 * @throws LocalCloudError ENGINE_DEAD when nothing answers there, with what podman's service said
 */
export async function openApiSocket(engine: Engine, options: ApiSocketOptions): Promise<ApiSocket> {
  const { variables = process.env, signal } = options
  const given = variables['DOCKER_HOST']
  if (given !== undefined && given !== '') {
    await requireAnswer(
      given,
      signal,
      'DOCKER_HOST names it: start the engine that listens there, or unset DOCKER_HOST.',
    )
    return ofSomebodyElse(given)
  }
  if (engine.kind === 'docker') {
    const url = 'unix:///var/run/docker.sock'
    await requireAnswer(url, signal, 'Set DOCKER_HOST to where it listens (docker context ls shows it).')
    return ofSomebodyElse(url)
  }
  return startPodmanService(engine, options)
}

const ofSomebodyElse = (url: string): ApiSocket => ({
  url,
  started: false,
  answers: (signal) => answers(url, signal),
  [Symbol.asyncDispose]: () => Promise.resolve(),
})

async function startPodmanService(engine: Engine, { folder, signal }: ApiSocketOptions): Promise<ApiSocket> {
  mkdirSync(folder, { recursive: true })
  const socket = path.join(folder, `podman-${String(process.pid)}-${String(threadId)}.sock`)
  rmSync(socket, { force: true })
  const url = `unix://${socket}`
  const service = execa(engine.program, ['system', 'service', `--time=${String(idleSeconds)}`, url], {
    env: { ...engine.env },
    reject: false,
    all: true,
    forceKillAfterDelay: 5_000,
    stdin: 'ignore',
  })
  let ended: string | undefined
  void service.then(({ all }) => {
    ended = all
  })
  const deadline = Date.now() + startMs
  for (;;) {
    if (await answers(url, signal)) break
    if (ended !== undefined || Date.now() > deadline || signal.aborted) {
      service.kill()
      await service
      signal.throwIfAborted()
      throw new LocalCloudError('ENGINE_DEAD', {
        message: `podman's service did not begin to answer on ${url}.`,
        evidence: (ended ?? '').trimEnd().split('\n').slice(-10),
      })
    }
    await delay(50, undefined, { signal })
  }
  const keeping = setInterval(() => {
    void answers(url, AbortSignal.timeout(answerMs))
  }, keepMs)
  keeping.unref()
  return {
    url,
    started: true,
    answers: (stop) => answers(url, stop),
    async [Symbol.asyncDispose]() {
      clearInterval(keeping)
      service.kill()
      await service
      rmSync(socket, { force: true })
    },
  }
}

async function requireAnswer(url: string, signal: AbortSignal, hint: string): Promise<void> {
  if (await answers(url, signal)) return
  signal.throwIfAborted()
  const socket = socketOf(url)
  const missing = socket !== undefined && !existsSync(socket)
  throw new LocalCloudError('ENGINE_DEAD', {
    message: missing ? `There is no socket ${socket}.` : `No container engine answers at ${url}.`,
    hint,
  })
}

const socketOf = (url: string): string | undefined =>
  url.startsWith('unix://') ? url.slice('unix://'.length) : undefined

/** Whether an engine's API answers a ping there (Docker Engine API, `GET /_ping`). */
function answers(url: string, signal: AbortSignal): Promise<boolean> {
  const socketPath = socketOf(url)
  return new Promise((resolve) => {
    const options: http.RequestOptions = {
      path: '/_ping',
      agent: false,
      timeout: answerMs,
      signal,
      ...(socketPath === undefined ? addressOf(url) : { socketPath }),
    }
    const request = http.get(options, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', () => {
      resolve(false)
    })
  })
}

const addressOf = (url: string): { hostname: string; port: string } => {
  const { hostname, port } = new URL(url.replace(/^tcp:/, 'http:'))
  return { hostname, port: port === '' ? '2375' : port }
}
