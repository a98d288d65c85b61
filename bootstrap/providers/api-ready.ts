import http from 'node:http'
import https from 'node:https'
import { parse } from 'yaml'

interface Kubeconfig {
  clusters?: { cluster?: { server?: string; 'certificate-authority-data'?: string } }[]
  users?: { user?: { 'client-certificate-data'?: string; 'client-key-data'?: string } }[]
}

/** Milliseconds for one request; a starting API server accepts connections before it answers. */
const requestMs = 5_000

/** Asks the API server of a kubeconfig's only cluster for /readyz. Undefined when it is ready, else why not. */
export async function whyNotReady(kubeconfig: string, signal: AbortSignal): Promise<string | undefined> {
  const config = parse(kubeconfig) as Kubeconfig
  const cluster = config.clusters?.[0]?.cluster
  const user = config.users?.[0]?.user
  if (cluster?.server === undefined) return 'the kubeconfig names no server'
  const url = new URL('/readyz', cluster.server)
  const decode = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text, 'base64'))
  const options: https.RequestOptions = {
    ca: decode(cluster['certificate-authority-data']),
    cert: decode(user?.['client-certificate-data']),
    key: decode(user?.['client-key-data']),
    agent: false,
    timeout: requestMs,
    signal,
  }
  return new Promise((resolve) => {
    const request = (url.protocol === 'http:' ? http : https).get(url, options, (response) => {
      response.resume()
      response.on('end', () => {
        resolve(response.statusCode === 200 ? undefined : `/readyz answers ${String(response.statusCode)}`)
      })
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${String(requestMs / 1000)} s`)))
    request.on('error', (error) => {
      resolve(error.message)
    })
  })
}
