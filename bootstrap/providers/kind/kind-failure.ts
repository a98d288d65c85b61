import { stripVTControlCharacters } from 'node:util'
import type { ContainerInfo, Engine } from '../../engine/engine.ts'
import { redact } from '../../process/redact.ts'

/** Lines shown of each source. */
const few = 5
/** Characters of a line that are shown. */
const lineLength = 300

/** A line without its time and process, by which repetitions are known. */
const gist = (line: string): string => line.replace(/^[A-Z]\d{4} [\d:.]+ +\d+ /, '')

const tidy = (text: string): string[] =>
  redact(stripVTControlCharacters(text))
    .split('\n')
    .map((line) => line.trim().slice(0, lineLength))
    .filter((line, index, all) => line !== '' && gist(line) !== gist(all[index - 1] ?? ''))

/** kind's error, then what kubeadm said last, without kubeadm's information about every request and file. */
export function kindEvidence(lines: readonly string[]): string[] {
  const telling = tidy(lines.join('\n')).filter((line) => !/^I\d{4} /.test(line))
  const errors = telling.filter((line) => line.startsWith('ERROR')).slice(0, 1)
  return [...errors, ...telling.filter((line) => !errors.includes(line)).slice(-2 * few)]
}

/** Prints the kubelet's last errors, then the last lines of the containers that ended last, each under its name. */
const lookInside = `
journalctl --no-pager --output=cat --unit=kubelet --lines=300 | grep -E '^[EF][0-9]{4}' | tail -n ${String(few)}
for id in $(crictl ps --all --quiet --state exited | head -n 3); do
  echo "container $(crictl inspect --output go-template --template '{{.status.metadata.name}}' "$id"), ended:"
  crictl logs --tail ${String(few)} "$id" 2>&1
done`

/** Why a node may not have come up: the end of its console, its kubelet's errors, and its containers that ended. Never throws. */
export async function nodeEvidence(
  engine: Engine,
  node: ContainerInfo,
  signal: AbortSignal,
): Promise<string[]> {
  const [console, inside] = await Promise.all([
    engine.logs(node.name, { tail: few, signal }).catch(() => ''),
    node.state === 'running'
      ? engine.exec(node.name, ['sh', '-c', lookInside], { signal }).then(
          ({ stdout }) => stdout,
          () => '',
        )
      : '',
  ])
  return [`node ${node.name} (${node.state}):`, ...tidy(console).slice(-few), ...tidy(inside).slice(-6 * few)]
}
