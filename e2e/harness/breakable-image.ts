import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Engine } from '../../bootstrap/engine/engine.ts'

/** Environment variable with the pattern (bash, `[[ … == … ]]`) of the call that fails: a program's name and its arguments. */
export const brokenVariable = 'BROKEN'
/** What the broken program says before it ends with 7. */
export const brokenWords = (program: string): string => `${program} is broken on purpose`

/** Programs that the entrypoint of a k3s-compatible node starts. */
const programs = [
  '/usr/local/libexec/local-cloud/reachable-resolver',
  '/usr/local/libexec/local-cloud/link-seed',
  '/usr/local/libexec/local-cloud/gpu',
  '/usr/local/bin/containerd',
  '/usr/local/bin/kubernetes',
]

/** Behind a script the name is lost under which the one binary of Kubernetes was called: its arguments tell. */
const wrapper = `#!/bin/bash
name=\${0##*/}
if [[ $name == kubernetes ]]; then
  case "$*" in
    *--unsafe-no-fsync*) name=etcd ;;
    *--etcd-servers=*) name=kube-apiserver ;;
    *--allocate-node-cidrs*) name=kube-controller-manager ;;
    */scheduler.conf*) name=kube-scheduler ;;
    *--proxy-mode=*) name=kube-proxy ;;
  esac
fi
if [[ "$name $*" == $${brokenVariable} ]]; then
  echo "${brokenWords('$name')}" >&2
  exit 7
fi
program=$(readlink -f "$0")
exec -a "$name" "$program.real" "$@"
`

/** Makes an image of a k3s-compatible one in which one call of a program can be made to fail, by `broken` or by its variable. */
export async function breakableImage(
  engine: Engine,
  image: { from: string; tag: string; labels: Record<string, string>; broken?: string },
  signal: AbortSignal,
): Promise<void> {
  const { from, tag, labels, broken = '-' } = image
  const context = await mkdtemp(path.join(tmpdir(), 'breakable-'))
  try {
    await writeFile(path.join(context, 'wrapper'), wrapper, { mode: 0o755 })
    const containerfile = path.join(context, 'Containerfile')
    const move = programs.map((program) => `mv ${program} ${program}.real`).join(' && ')
    await writeFile(
      containerfile,
      [
        `FROM ${from}`,
        `RUN ["/bin/sh", "-c", "${move}"]`,
        ...programs.map((program) => `COPY wrapper ${program}`),
        `ENV ${brokenVariable}="${broken}"`,
        '',
      ].join('\n'),
    )
    await engine.build({ containerfile, context, tag, labels }, signal)
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}
