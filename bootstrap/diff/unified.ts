import { stringify } from 'yaml'

/** Lines around a change that are shown. */
const context = 3

/**
 * The difference of two values as a unified diff of their YAML, keys sorted; empty when they are equal. `name` stands in both headers.
 */
export async function unifiedDiff(
  before: Record<string, unknown> | undefined,
  after: Record<string, unknown> | undefined,
  name: string,
): Promise<string> {
  const [old, now] = [yaml(before), yaml(after)]
  if (old === now) return ''
  const { createTwoFilesPatch } = await import('diff')
  const patch = createTwoFilesPatch(`live/${name}`, `wanted/${name}`, old, now, '', '', { context })
  // The first line is a rule of `=`, which patch programs skip.
  return patch.replace(/^=+\n/, '').replaceAll(/^(---|\+\+\+) (.*?)\t$/gm, '$1 $2')
}

const yaml = (value: Record<string, unknown> | undefined): string =>
  value === undefined
    ? ''
    : stringify(value, { sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false })
