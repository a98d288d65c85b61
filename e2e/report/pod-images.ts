import type { KubeObject } from '../../bootstrap/kube/client.ts'

interface ContainerStatus {
  image?: string
  imageID?: string
}

interface PodStatus {
  containerStatuses?: ContainerStatus[]
  initContainerStatuses?: ContainerStatus[]
}

/** What the pods' containers really run, by name of the image: its digest, or all of them, each with the number of its containers. */
export function imagesOfPods(pods: readonly KubeObject[]): { image: string; running: string }[] {
  const containers = pods.flatMap((pod) => {
    const status = pod['status'] as PodStatus | undefined
    return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].flatMap(
      ({ image = '', imageID = '' }) => (image === '' ? [] : [{ image, digest: digestOf(imageID) }]),
    )
  })
  return [...Map.groupBy(containers, ({ image }) => image)]
    .map(([image, list]) => ({
      image,
      running: [...Map.groupBy(list, ({ digest }) => digest)]
        .map(
          ([digest, { length }]) =>
            `${digest} (${String(length)} ${length === 1 ? 'container' : 'containers'})`,
        )
        .join(', '),
    }))
    .sort((a, b) => a.image.localeCompare(b.image, 'en'))
}

/** A container that never started has no image id yet. */
const digestOf = (imageId: string): string =>
  imageId === '' ? 'not started' : (imageId.split('@').at(-1) ?? imageId)
