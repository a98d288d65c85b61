import { execa } from 'execa'
import type { Browser } from 'playwright-core'
import { findProgram } from '../../bootstrap/engine/find-program.ts'
import { NotProven } from './verdict.ts'

/** Names under which distributions and vendors install Chromium. */
const programs = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** Headless, in a closed network: nothing is looked up or reported that no page asked for. */
const quiet = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * A headless Chromium: the one on PATH, or else, as root on Debian and Ubuntu, the distribution's, which is installed then. Leaving its
 * scope ends it. `hosts` maps host names to addresses for this browser alone, so that a virtual host needs no entry in /etc/hosts.
 * @throws NotProven when there is no Chromium and none can be installed: a page cannot be looked at here.
 */
export async function startBrowser(options: {
  hosts?: Readonly<Record<string, string>>
  signal: AbortSignal
}): Promise<{ browser: Browser } & AsyncDisposable> {
  const { hosts = {}, signal } = options
  const executablePath = findChromium() ?? (await installChromium(signal))
  const { chromium } = await import('playwright-core')
  const rules = Object.entries(hosts).map(([name, address]) => `MAP ${name} ${address}`)
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    args: [
      ...quiet,
      // The sandbox refuses to run as root.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ...(rules.length === 0 ? [] : [`--host-resolver-rules=${rules.join(',')}`]),
    ],
  })
  return { browser, [Symbol.asyncDispose]: () => browser.close() }
}

const findChromium = (): string | undefined =>
  programs.map((name) => findProgram(name)).find((path) => path !== undefined)

async function installChromium(signal: AbortSignal): Promise<string> {
  const apt = findProgram('apt-get')
  if (apt === undefined || process.getuid?.() !== 0) {
    throw new NotProven(
      'There is no Chromium on this machine; install it (Debian, Ubuntu: apt-get install chromium).',
    )
  }
  process.stderr.write('Installing chromium from the distribution, to look at pages.\n')
  const run = async (...argv: string[]) => {
    const { exitCode, stderr } = await execa(apt, ['-o', 'DPkg::Lock::Timeout=300', '-q', ...argv], {
      cancelSignal: signal,
      env: { DEBIAN_FRONTEND: 'noninteractive' },
      reject: false,
      stdin: 'ignore',
    })
    if (exitCode !== 0) {
      throw new NotProven(
        `Chromium cannot be installed: ${stderr.trim().split('\n').at(-1) ?? 'apt-get failed'}`,
      )
    }
  }
  await run('update')
  await run('install', '--yes', '--no-install-recommends', 'chromium')
  const found = findChromium()
  if (found === undefined)
    throw new NotProven('The package chromium was installed, but there is no program chromium.')
  return found
}
