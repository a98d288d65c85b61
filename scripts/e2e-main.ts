import { CheckBroke } from '../e2e/harness/verdict.ts'

/** How long after the end a test that did not end when it was told to may keep this process alive, milliseconds; all is written by then. */
const lingerMs = 5_000

/** Runs a script of the end-to-end suites: its exit code is the process's, an error is told in one line, 1 for a check that broke, else 2. */
export async function runE2eScript(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main()
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = error instanceof CheckBroke ? 1 : 2
  }
  setTimeout(() => {
    process.exit()
  }, lingerMs).unref()
}
