import { attachCluster, systemOn } from '../bootstrap/steps/attach.ts'
import { switchModel, type SwitchEvent } from '../manifests/zones/switch-model.ts'
import { pathsFor, print, runScript } from './cluster-script.ts'
import { help, parseSwitchOptions } from './zones-switch-options.ts'

/** The pods' grace period of 30 s, and as long again for a busy node. */
const stopTimeoutMs = 60_000
/** Above the 25 minutes that a start may take. */
const startTimeoutMs = 30 * 60_000

/** One line for what happens. */
function words(event: SwitchEvent): string {
  switch (event.type) {
    case 'stopping':
      return `${event.model} is stopped`
    case 'starting':
      return `${event.model} is started`
    case 'gone':
      return 'no other model server is left'
    case 'waiting':
      return `waiting: ${event.seen}`
  }
}

async function main(signal: AbortSignal): Promise<number> {
  const options = parseSwitchOptions(process.argv.slice(2))
  if (options === 'help') {
    process.stdout.write(help)
    return 0
  }
  const { to, json } = options
  const cluster = await attachCluster(pathsFor(options.stateDir), options.name, signal)
  try {
    systemOn(cluster, 'zones')
    await switchModel(cluster.kube, {
      to,
      stopTimeoutMs,
      startTimeoutMs,
      signal,
      emit(event) {
        if (json) print(JSON.stringify({ at: new Date().toISOString(), ...event }))
        else process.stderr.write(`${words(event)}\n`)
      },
    })
    print(json ? JSON.stringify({ type: 'ready', model: to }) : `${to} is ready`)
    return 0
  } finally {
    cluster.kube.close()
  }
}

await runScript(process.argv, main)
