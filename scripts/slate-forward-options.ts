import { LocalCloudError } from '../bootstrap/errors/local-cloud-error.ts'
import { clusterFlags, clusterHelp, parseFlags, requireClusterName } from './cluster-script.ts'

export interface ForwardOptions {
  name: string
  stateDir?: string
  /** Services by name, whole or short; all when empty. */
  only: string[]
  /** Ports of this machine by Service, as the user named it. */
  ports: Record<string, number>
  json: boolean
}

export const help = `Forwards a port of this machine to every Service of the cluster's system, and goes on when pods are replaced.

Usage: npm run slate:forward [-- flags]

Flags:
  --only A,B           only these Services, by name or in short: dashboard for slate-dashboard-svc (repeatable)
  --port SERVICE=PORT  this port of this machine for that Service; without it the Service's own, or the next that is free (repeatable)
${clusterHelp}

It listens on 127.0.0.1 and prints one line whenever the connections of a Service go to another pod. Ctrl-C ends it with exit code 0.
`

export const forwardFlags = {
  ...clusterFlags,
  only: { type: 'string', multiple: true },
  port: { type: 'string', multiple: true },
} as const

/** @throws LocalCloudError UNKNOWN_FLAG, BAD_VALUE */
export function parseForwardOptions(argv: readonly string[]): ForwardOptions | 'help' {
  const values = parseFlags(argv, forwardFlags, 'slate:forward')
  if (values.help) return 'help'
  const ports: Record<string, number> = {}
  for (const text of values.port ?? []) {
    const [, service = '', number = ''] = /^([a-z0-9-]+)=(\d{1,5})$/.exec(text) ?? []
    const port = Number(number)
    if (service === '' || port < 1 || port > 65_535) {
      throw new LocalCloudError('BAD_VALUE', {
        message: `--port ${text}: must be SERVICE=PORT, such as dashboard=9080.`,
      })
    }
    if (Object.hasOwn(ports, service)) {
      throw new LocalCloudError('BAD_VALUE', { message: `--port ${text}: ${service} is given twice.` })
    }
    ports[service] = port
  }
  return {
    name: requireClusterName(values.name),
    only: (values.only ?? []).flatMap((text) => text.split(',')).filter((text) => text !== ''),
    ports,
    json: values.json,
    ...(values['state-dir'] === undefined ? {} : { stateDir: values['state-dir'] }),
  }
}
