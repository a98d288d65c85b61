import { LocalCloudError } from '../bootstrap/errors/local-cloud-error.ts'
import { clusterFlags, clusterHelp, parseFlags, requireClusterName } from './cluster-script.ts'

export interface DiffOptions {
  name: string
  stateDir?: string
  system?: string
  overlay?: string
  models?: 'tiny' | 'real'
  json: boolean
}

export const help = `Shows what up would change in the cluster: a server-side dry run of the rendered overlay, compared with what is there.

Usage: npm run slate:diff [-- flags]

Flags:
  --overlay NAME       overlay of the system (default: the one on the cluster, else local)
  --system SYSTEM      system, a folder under overlays/ (default: the one on the cluster, else slate)
  --models KIND        models of the system: tiny or real (default: as on the cluster)
${clusterHelp}

Nothing is changed. Values of Secrets are not shown; warnings of the API server, such as those of Pod Security, go to standard
error. Exit codes: 0 no difference, 1 differences, 5 the API server refuses an object, others as of the commands.
`

export const diffFlags = {
  ...clusterFlags,
  overlay: { type: 'string' },
  system: { type: 'string' },
  models: { type: 'string' },
} as const

/** @throws LocalCloudError UNKNOWN_FLAG, BAD_VALUE */
export function parseDiffOptions(argv: readonly string[]): DiffOptions | 'help' {
  const values = parseFlags(argv, diffFlags, 'slate:diff')
  if (values.help) return 'help'
  const { models, overlay, system } = values
  if (models !== undefined && models !== 'tiny' && models !== 'real') {
    throw new LocalCloudError('BAD_VALUE', { message: `--models ${models}: must be tiny or real.` })
  }
  return {
    name: requireClusterName(values.name),
    json: values.json,
    ...(models === undefined ? {} : { models }),
    ...(overlay === undefined ? {} : { overlay }),
    ...(system === undefined ? {} : { system }),
    ...(values['state-dir'] === undefined ? {} : { stateDir: values['state-dir'] }),
  }
}
