import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { expect, it } from 'vitest'

const file = path.join(import.meta.dirname, 'interruption.ts')
const program = `
  import { interruption } from ${JSON.stringify(file)}
  const { signal, exitCode } = interruption()
  const busy = setInterval(() => {}, 1000)
  signal.addEventListener('abort', () => { setTimeout(() => { clearInterval(busy); process.exitCode = exitCode() }, 300) })
  console.log('ready')
`

it('one wish that arrives twice ends the work in order, with the exit code of the signal', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  child.kill('SIGINT')
  child.kill('SIGINT')
  const [code] = (await once(child, 'exit')) as [number]
  expect(code).toBe(130)
})
