import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { planWith, startFakeApi } from './fake-api.ts'
import { parseSwitchOptions } from './zones-switch-options.ts'

it('reads the model and the flags of a cluster', () => {
  expect(parseSwitchOptions(['glm-executor'])).toEqual({
    to: 'glm-executor',
    name: 'local-cloud',
    json: false,
  })
  expect(parseSwitchOptions(['--name', 'x', 'deepseek-v32', '--state-dir', '/s', '--json'])).toEqual({
    to: 'deepseek-v32',
    name: 'x',
    stateDir: '/s',
    json: true,
  })
  expect(parseSwitchOptions(['--help'])).toBe('help')
})

it.each([
  [[], 'BAD_VALUE'],
  [['a', 'b'], 'BAD_VALUE'],
  [['a', '--name', '../x'], 'BAD_VALUE'],
  [['a', '--model', 'b'], 'UNKNOWN_FLAG'],
])('refuses %j', (argv, code) => {
  expect(() => parseSwitchOptions(argv)).toThrow(expect.objectContaining({ code }) as Error)
})

it('refuses a cluster without the zones', async () => {
  await using api = await startFakeApi({
    plan: planWith([{ name: 'slate', environment: 'local' }]),
    parts: {},
  })
  const argv = ['scripts/zones-switch.mjs', 'glm-executor', '--json', '--state-dir', api.stateDir]
  await expect(promisify(execFile)(process.execPath, argv)).rejects.toMatchObject({
    code: 3,
    stdout: expect.stringContaining('not zones') as string,
  })
})

it('says which model servers there are when none has that name', async () => {
  const plan = planWith([{ name: 'zones', environment: 'local' }])
  await using api = await startFakeApi({ plan, parts: { 'system.zones': { title: 'Zones', objects: {} } } })
  api.objects.push({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'deepseek-v32',
      namespace: 'inference',
      labels: { 'app.kubernetes.io/component': 'model-server' },
    },
    spec: { replicas: 1 },
  })
  const argv = ['scripts/zones-switch.mjs', 'gpt', '--json', '--state-dir', api.stateDir]
  await expect(promisify(execFile)(process.execPath, argv)).rejects.toMatchObject({
    code: 2,
    stdout: expect.stringContaining('there is deepseek-v32') as string,
  })
})
