import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

/* The entrypoint's own tests need the toolchain that builds it; in containers it is tried by e2e/machine/k3s.e2e.test.ts. */
it('passes its own tests, and go vet', async () => {
  const options = {
    cwd: import.meta.dirname,
    env: { ...process.env, GOTOOLCHAIN: 'local', GOWORK: 'off', GOFLAGS: '-buildvcs=false' },
  }
  const go = promisify(execFile)
  await go('go', ['vet', './...'], options)
  const { stdout } = await go('go', ['test', '-count=1', '-v', './...'], options)
  expect(stdout).toContain('PASS: TestAComponentIsStartedAgainButNotForEver')
  expect(stdout).toContain('PASS: TestASignalEndsTheNodeInOrder')
  expect(stdout).not.toContain('FAIL')
}, 180_000)
