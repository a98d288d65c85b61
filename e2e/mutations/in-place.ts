import type { KubeObject } from '../../bootstrap/kube/client.ts'

/** What a mutation does to its object, from what it changes in the copy that it gets. */
export const inPlace =
  (change: (object: KubeObject) => void) =>
  (object: KubeObject): KubeObject => {
    change(object)
    return object
  }
