import { textTable } from '../bootstrap/cli/text-table.ts'
import type { Forward, ForwardEvent } from '../bootstrap/forward/events.ts'
import { findServices } from '../bootstrap/forward/find-services.ts'
import { startForwards } from '../bootstrap/forward/start-forwards.ts'
import { systemServices } from '../bootstrap/forward/system-services.ts'
import { attachCluster, systemOn } from '../bootstrap/steps/attach.ts'
import { parseRefKey } from '../bootstrap/steps/objects.ts'
import { pathsFor, print, runScript } from './cluster-script.ts'
import { help, parseForwardOptions } from './slate-forward-options.ts'

/** How long a connection waits for a pod that lets it in, milliseconds: long enough for a rolling restart. */
const waitMs = 10_000

/** One line for what happened. */
function words(event: ForwardEvent): string {
  if (event.type === 'trouble') return `The API does not say which pods are ready: ${event.message}`
  if (event.type === 'closed') return `${event.service}: a connection was closed: ${event.reason}`
  const { service, from, to } = event
  if (to === undefined)
    return `${service}: ${from ?? 'its pod'} is not ready any more, and no other is; waiting`
  return from === undefined ? `${service}: now ${to}` : `${service}: ${from} is not ready any more; now ${to}`
}

const table = (forwards: readonly Forward[]): Promise<string> =>
  textTable(
    ['service', 'here', 'port', 'note'],
    forwards.map(({ namespace, service, url, port, note = '' }) => [
      `${namespace}/${service}`,
      url,
      String(port),
      note,
    ]),
  )

async function main(signal: AbortSignal): Promise<number> {
  const options = parseForwardOptions(process.argv.slice(2))
  if (options === 'help') {
    process.stdout.write(help)
    return 0
  }
  const { json } = options
  const cluster = await attachCluster(pathsFor(options.stateDir), options.name, signal)
  const { kube, record } = cluster
  try {
    const { name: system } = systemOn(cluster)
    const refs = Object.keys(record.parts[`system.${system}`]?.objects ?? {}).map(parseRefKey)
    const services = await systemServices(kube, refs, signal)
    const ports = Object.fromEntries(
      Object.entries(options.ports).flatMap(([name, port]) =>
        findServices(services, [name], { system, flag: 'port' }).map(({ metadata }) => [metadata.name, port]),
      ),
    )
    await using started = await startForwards({
      kube,
      services: findServices(services, options.only, { system, flag: 'only' }),
      ports,
      address: '127.0.0.1',
      waitMs,
      emit(event) {
        if (json) print(JSON.stringify({ at: new Date().toISOString(), ...event }))
        else process.stderr.write(`${words(event)}\n`)
      },
      signal,
    })
    const { forwards } = started
    print(
      json ? JSON.stringify({ type: 'listening', cluster: options.name, forwards }) : await table(forwards),
    )
    if (!json) process.stderr.write('Ctrl-C ends it.\n')
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => {
        resolve()
      })
    })
    return 0
  } finally {
    kube.close()
  }
}

await runScript(process.argv, main)
