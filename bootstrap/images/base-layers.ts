import { join } from 'node:path'
import { runCommand } from '../process/run-command.ts'
import type { LayerEntry } from './oci/layer.ts'

const passwd = 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n'
const group = 'root:x:0:\nnogroup:x:65534:\n'

/** What a statically linked program expects around it: users, a name service order, a place for temporary files. */
export function staticEntries(): LayerEntry[] {
  return [
    { kind: 'text', path: '/etc/passwd', text: passwd },
    { kind: 'text', path: '/etc/group', text: group },
    { kind: 'text', path: '/etc/nsswitch.conf', text: 'hosts: files dns\n' },
    { kind: 'directory', path: '/tmp', mode: 0o1777 },
    { kind: 'directory', path: '/var/tmp', mode: 0o1777 },
    { kind: 'directory', path: '/root', mode: 0o700 },
  ]
}

/** A static busybox out of its package, with a link for each applet that it names itself. */
export async function busyboxEntries(
  packageArchive: string,
  workDirectory: string,
  signal: AbortSignal,
): Promise<LayerEntry[]> {
  await runCommand('tar', ['-xf', packageArchive, '-C', workDirectory, './bin/busybox'], {
    signal,
    errorCode: 'BUILD_FAILED',
  })
  const busybox = join(workDirectory, 'bin/busybox')
  const { stdout } = await runCommand(busybox, ['--list'], { signal, errorCode: 'BUILD_FAILED' })
  const applets = stdout.split('\n').filter((applet) => applet !== '' && applet !== 'busybox')
  return [
    ...staticEntries(),
    { kind: 'file', path: '/bin/busybox', source: busybox, mode: 0o755 },
    ...applets.map((applet): LayerEntry => ({ kind: 'link', path: `/bin/${applet}`, target: 'busybox' })),
    { kind: 'directory', path: '/home', mode: 0o755 },
    { kind: 'directory', path: '/www', mode: 0o755 },
  ]
}
