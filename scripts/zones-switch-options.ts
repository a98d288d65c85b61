import { LocalCloudError } from '../bootstrap/errors/local-cloud-error.ts'
import { clusterFlags, clusterHelp, parseFlagsAndWords, requireClusterName } from './cluster-script.ts'

export interface SwitchOptions {
  /** Model server that is to run. */
  to: string
  name: string
  stateDir?: string
  json: boolean
}

export const help = `Has one model server of the zones run and no other: stops those that run, waits until their pods are gone, starts the one that is
named, and waits until it is ready. What another one keeps (GPUs, memory, the node's port) is never taken twice.

Usage: npm run zones:switch -- MODEL [flags]

Models: deepseek-v32, glm-executor, minimax-failsafe

Flags:
${clusterHelp}

Another up goes back to what the overlay says.
`

/** @throws LocalCloudError UNKNOWN_FLAG, BAD_VALUE */
export function parseSwitchOptions(argv: readonly string[]): SwitchOptions | 'help' {
  const { values, words } = parseFlagsAndWords(argv, clusterFlags, 'zones:switch')
  if (values.help) return 'help'
  const [to, ...rest] = words
  if (to === undefined || rest.length > 0)
    throw new LocalCloudError('BAD_VALUE', {
      message: 'One model server is to be named: deepseek-v32, glm-executor or minimax-failsafe.',
      hint: 'All flags: npm run zones:switch -- --help',
    })
  return {
    to,
    name: requireClusterName(values.name),
    json: values.json,
    ...(values['state-dir'] === undefined ? {} : { stateDir: values['state-dir'] }),
  }
}
