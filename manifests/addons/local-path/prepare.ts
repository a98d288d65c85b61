import type { Prepare } from '../../../bootstrap/addons/addon.ts'

const defaultClass = 'storageclass.kubernetes.io/is-default-class'

/** Leaves `local-path` as the only default class: a stock kind node image brings one of its own, `standard`. */
export const prepare: Prepare = async ({ kube, signal }) => {
  const classes = await kube.list({ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' }, signal)
  const others = classes.filter(
    ({ metadata }) => metadata.name !== 'local-path' && metadata.annotations?.[defaultClass] === 'true',
  )
  for (const { apiVersion, kind, metadata } of others) {
    await kube.patch(
      { apiVersion, kind, name: metadata.name },
      { metadata: { annotations: { [defaultClass]: 'false' } } },
      { signal },
    )
  }
}
