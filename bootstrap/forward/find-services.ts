import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { KubeObject } from '../kube/client.ts'

/**
 * Short names by which a person may call a Service: without the system's name in front and `svc` behind.
 * `slate-dashboard-svc` of the system slate is also `dashboard`.
 */
export const shortName = (service: string, system: string): string =>
  service.replace(/-svc$/, '').replace(new RegExp(`^${system}-`), '')

/**
 * The Services that these names mean, in the order of the Services; all when there are no names. `flag` is named in the error.
 * @throws LocalCloudError BAD_VALUE with the names that there are
 */
export function findServices(
  services: readonly KubeObject[],
  names: readonly string[],
  { system, flag }: { system: string; flag: string },
): KubeObject[] {
  const means = ({ metadata }: KubeObject, name: string): boolean =>
    metadata.name === name || shortName(metadata.name, system) === name
  const unknown = names.find((name) => !services.some((service) => means(service, name)))
  if (unknown !== undefined) {
    const there = services.map(({ metadata }) => shortName(metadata.name, system))
    throw new LocalCloudError('BAD_VALUE', {
      message: `--${flag} ${unknown}: the system ${system} has no such Service; it has ${there.join(', ')}.`,
    })
  }
  return names.length === 0
    ? [...services]
    : services.filter((service) => names.some((name) => means(service, name)))
}
