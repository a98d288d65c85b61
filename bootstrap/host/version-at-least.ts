/**
 * Whether the first version number in `text` (`525.60.13`, `NVIDIA Container Toolkit CLI version 1.18.0-rc.2`) is `minimum` or
 * newer. Missing parts count as 0, pre-releases as their release; a text without a version is not new enough. Pure.
 */
export function versionAtLeast(text: string, minimum: string): boolean {
  const found = /\d+(?:\.\d+)+/.exec(text)?.[0]
  if (found === undefined) return false
  const [have, want] = [found, minimum].map((version) => version.split('.').map(Number))
  const length = Math.max(have?.length ?? 0, want?.length ?? 0)
  const differing = Array.from({ length }, (_, index) => (have?.[index] ?? 0) - (want?.[index] ?? 0))
  return (differing.find((difference) => difference !== 0) ?? 0) >= 0
}
