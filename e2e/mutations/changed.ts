import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { mutations } from './catalogue.ts'
import { mutationVariable, type Mutation } from './mutation.ts'

/** The objects after one change. @throws Error when none of them is the one to change */
export function mutate(objects: readonly KubeObject[], { name, object, change }: Mutation): KubeObject[] {
  if (!objects.some((one) => idOf(one) === object))
    throw new Error(`${name}: there is no ${object} to change.`)
  return objects.flatMap((one) => (idOf(one) === object ? (change(structuredClone(one)) ?? []) : [one]))
}

/** The change that the environment names, if it names one. @throws Error for an unknown name */
export function mutationOf(env: NodeJS.ProcessEnv = process.env): Mutation | undefined {
  const name = env[mutationVariable]
  if (name === undefined || name === '') return undefined
  const mutation = mutations.find((one) => one.name === name)
  if (!mutation) throw new Error(`There is no mutation ${name}.`)
  return mutation
}

/** The objects with the change that the environment names; as they are without one. @throws Error for an unknown name */
export function changed(objects: KubeObject[], env: NodeJS.ProcessEnv = process.env): KubeObject[] {
  const mutation = mutationOf(env)
  return mutation ? mutate(objects, mutation) : objects
}

const idOf = ({ kind, metadata }: KubeObject): string => `${kind}/${metadata.name}`
