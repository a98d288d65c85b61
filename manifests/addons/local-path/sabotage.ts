import { scaleAway } from '../../../bootstrap/addons/scale-away.ts'

export const sabotage = scaleAway({ namespace: 'local-path', name: 'local-path-provisioner' })
