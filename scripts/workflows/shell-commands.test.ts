import { expect, it } from 'vitest'
import { shellCommands } from './shell-commands.ts'

it.each<[string, string[][]]>([
  [
    'npm ci && npm test',
    [
      ['npm', 'ci'],
      ['npm', 'test'],
    ],
  ],
  ['npm run e2e -- --only "SC-2" \\\n  --keep', [['npm', 'run', 'e2e', '--', '--only', 'SC-2', '--keep']]],
  ['sudo --preserve-env env "PATH=$PATH" npm ci', [['npm', 'ci']]],
  [
    'CI=1 npm test 2>&1 | tee log',
    [
      ['npm', 'test'],
      ['tee', 'log'],
    ],
  ],
  ['if [ -f x ]; then\n  npm ci\nfi', [['[', '-f', 'x', ']'], ['npm', 'ci'], ['fi']]],
  ['sort < in > out # npm ci', [['sort']]],
  ['ls images/**/*.yaml', [['ls', 'images/**/*.yaml']]],
  ['\n\n', []],
])('%j', (script, commands) => {
  expect(shellCommands(script)).toEqual(commands)
})
