import { inPlace } from './in-place.ts'
import type { Mutation } from './mutation.ts'

const data = (change: (data: Record<string, string>) => Record<string, string>) =>
  inPlace((object) => {
    object['data'] = change(object['data'] as Record<string, string>)
  })

const without = (key: string) => (all: Record<string, string>) =>
  Object.fromEntries(Object.entries(all).filter(([name]) => name !== key))

const configMap = (name: string): string =>
  `slate-configuration: objects › ConfigMap ${name} has the stated keys and values`
const secret = (name: string): string =>
  `slate-configuration: objects › Secret ${name} has the stated keys, and each has a value`
const workspaceClaim =
  'slate-storage: claims of SLATE › slate-workspace-pvc is bound, with the stated size and access, to a volume of the stated class'

/** Changes to the configuration and the volume of SLATE; no claim and no byte is touched, and nothing restarts. */
export const storageAndConfigMutations: readonly Mutation[] = [
  {
    name: 'ollama-at-localhost',
    breaks: 'The services look for Ollama at localhost.',
    object: 'ConfigMap/slate-dashboard-config',
    change: data((all) => ({ ...all, OLLAMA_HOST: 'localhost:11434' })),
    caughtBy: configMap('slate-dashboard-config'),
    neighbours: [configMap('slate-agent-config'), secret('slate-github-secret')],
  },
  {
    name: 'instructions-without-rules',
    breaks: 'The instructions have no rules for the copilot bridge.',
    object: 'ConfigMap/slate-instructions',
    change: data(without('copilot-rules.yaml')),
    caughtBy: configMap('slate-instructions'),
    neighbours: [configMap('slate-tech-tree'), configMap('slate-dashboard-config')],
  },
  {
    name: 'no-tech-tree',
    breaks: 'There is no ConfigMap slate-tech-tree.',
    object: 'ConfigMap/slate-tech-tree',
    change: () => undefined,
    caughtBy: configMap('slate-tech-tree'),
    neighbours: [configMap('slate-model-files'), secret('slate-github-credentials')],
  },
  {
    name: 'secret-under-another-key',
    breaks: 'The GitHub token of the dashboard lies under another key.',
    object: 'Secret/slate-github-secret',
    change: data((all) => ({ TOKEN: all['token'] ?? '' })),
    caughtBy: secret('slate-github-secret'),
    neighbours: [secret('slate-github-credentials'), configMap('slate-dashboard-config')],
  },
  {
    name: 'workspace-deleted-with-its-claim',
    breaks: 'The volume of the workspace goes with its claim.',
    object: 'PersistentVolume/slate-workspace-pv',
    change: inPlace((object) => {
      ;(object['spec'] as { persistentVolumeReclaimPolicy: string }).persistentVolumeReclaimPolicy = 'Delete'
    }),
    caughtBy:
      'slate-storage: the life of a claim › that is bound to a copy of SLATE’s workspace volume leaves it behind',
    neighbours: [
      workspaceClaim,
      'slate-storage: claims of SLATE › slate-copilot-bridge mounts the stated claims, and each is a mount of its own in the container',
    ],
  },
]
