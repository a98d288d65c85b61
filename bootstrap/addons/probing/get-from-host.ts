import { request } from 'node:http'

/** The answer of a server on the host, or why there was none. */
export type HostAnswer = { status: number; body: string } | { error: string }

const answerMs = 5_000
const bodyLimit = 64 * 1024

/** GET with a Host header of its own, over a new connection. Never throws for a missing answer. */
export async function getFromHost(url: string, host: string, signal: AbortSignal): Promise<HostAnswer> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      resolve({ error: error.code ?? error.message })
    }
    const call = request(
      url,
      { headers: { host }, agent: false, signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]) },
      (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (text: string) => {
          if (body.length < bodyLimit) body += text
        })
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body })
        })
        response.on('error', failed)
      },
    )
    call.on('error', failed)
    call.end()
  })
}
