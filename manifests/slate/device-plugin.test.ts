import { expect, it } from 'vitest'
import { validateObjects } from '../../bootstrap/manifests/validate.ts'
import { readContract } from './contract.ts'
import { at, podSpecOf } from '../checks/manifest.ts'
import { rendered } from '../checks/rendered.ts'

const { environments, optional } = readContract()
const { devicePlugin } = optional

it('is one DaemonSet with the stated image in the stated namespace', async () => {
  const manifests = await rendered(devicePlugin.render)
  expect(validateObjects(manifests, devicePlugin.render)).toEqual([])
  expect(
    manifests.map((manifest) => ({
      kind: manifest.kind,
      name: manifest.metadata.name,
      namespace: manifest.metadata.namespace,
      image: at(podSpecOf(manifest), 'containers', 0, 'image'),
    })),
  ).toEqual([
    {
      kind: 'DaemonSet',
      name: devicePlugin.daemonSet,
      namespace: devicePlugin.namespace,
      image: devicePlugin.image,
    },
  ])
})

it.each(Object.entries(environments))('is not in the environment %s', async (_name, { render }) => {
  const names = (await rendered(render)).map(({ kind, metadata }) => `${kind}/${metadata.name}`)
  expect(names.length).toBeGreaterThan(0)
  expect(names).not.toContain(`DaemonSet/${devicePlugin.daemonSet}`)
})
