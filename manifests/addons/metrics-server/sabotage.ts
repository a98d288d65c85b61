import { scaleAway } from '../../../bootstrap/addons/scale-away.ts'

export const sabotage = scaleAway({ namespace: 'kube-system', name: 'metrics-server' })
