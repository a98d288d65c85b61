import { chmodSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { fakeCli, type FakeAnswer } from '../engine/testing/fake-cli.ts'
import { temporaryFolder } from '../engine/testing/temporary-folder.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { findCards, noCard } from './find-cards.ts'

const { signal } = new AbortController()
const find = async (answer: Omit<FakeAnswer, 'when'>) => {
  const searchPath = temporaryFolder()
  const when = '--query-gpu=index,uuid,name,memory.total,driver_version --format=csv,noheader,nounits'
  fakeCli(searchPath, 'nvidia-smi', [
    { when, ...answer },
    { when: '*', exit: 2, stderr: 'wrong question' },
  ])
  return findCards(signal, { searchPath })
}

it('gives every card', async () => {
  const stdout = [
    '0, GPU-11111111-0000-0000-0000-000000000000, NVIDIA H200, 143771, 570.172.08',
    '1, GPU-22222222-0000-0000-0000-000000000000, NVIDIA GB10, [N/A], 570.172.08',
    '',
  ].join('\n')
  expect(await find({ stdout })).toEqual({
    cards: [
      {
        index: 0,
        uuid: 'GPU-11111111-0000-0000-0000-000000000000',
        name: 'NVIDIA H200',
        memoryMib: 143_771,
        driver: '570.172.08',
      },
      {
        index: 1,
        uuid: 'GPU-22222222-0000-0000-0000-000000000000',
        name: 'NVIDIA GB10',
        memoryMib: undefined,
        driver: '570.172.08',
      },
    ],
  })
})

it('takes a list that ends with a warning about the infoROM', async () => {
  const stdout = '0, GPU-1, Tesla T4, 15360, 535.1\nWARNING: infoROM is corrupted at gpu 0000:00:1E.0\n'
  const found = await find({ stdout, exit: 14 })
  expect('cards' in found && found.cards.map(({ name }) => name)).toEqual(['Tesla T4'])
})

it.each<[string, Omit<FakeAnswer, 'when'>, string]>([
  [
    'a driver that does not answer',
    {
      stdout:
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n\n",
      exit: 9,
    },
    "nvidia-smi fails with exit code 9: NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running",
  ],
  [
    'words on the other stream',
    { stderr: 'Failed to initialize NVML: Driver/library version mismatch\n', exit: 18 },
    'nvidia-smi fails with exit code 18: Failed to initialize NVML: Driver/library version mismatch',
  ],
  ['no words', { exit: 3 }, 'nvidia-smi fails with exit code 3'],
  ['no devices', { stdout: 'No devices were found\n', exit: 6 }, 'nvidia-smi finds no devices'],
  ['an empty list', {}, 'nvidia-smi finds no devices'],
  ['other words', { stdout: 'hello\n' }, 'nvidia-smi names no card: hello'],
  [
    'a card before a failure',
    { stdout: '0, GPU-1, T4, 1, 535.1\n', stderr: 'GPU is lost', exit: 15 },
    'nvidia-smi fails with exit code 15: 0, GPU-1, T4, 1, 535.1 GPU is lost',
  ],
])('says why there is none: %s', async (_words, answer, reason) => {
  expect(await find(answer)).toEqual({ reason })
})

it('says that nvidia-smi is not on PATH', async () => {
  expect(await findCards(signal, { searchPath: temporaryFolder() })).toEqual({
    reason: 'nvidia-smi, which comes with NVIDIA’s driver, is not on PATH',
  })
})

it('says that nvidia-smi cannot be run', async () => {
  const searchPath = temporaryFolder()
  const program = path.join(searchPath, 'nvidia-smi')
  writeFileSync(program, '#!/no/such/interpreter\n')
  chmodSync(program, 0o755)
  expect(await findCards(signal, { searchPath })).toEqual({
    reason: expect.stringMatching(/^nvidia-smi does not answer \(.+\)$/) as string,
  })
})

it('throws the reason of an abort, before and while nvidia-smi runs', async () => {
  const reason = new LocalCloudError('STEP_TIMEOUT', { message: 'Too slow.' })
  await expect(findCards(AbortSignal.abort(reason), { searchPath: temporaryFolder() })).rejects.toBe(reason)
  const searchPath = temporaryFolder()
  fakeCli(searchPath, 'nvidia-smi', [{ when: '*', then: 'exec sleep 20' }])
  const controller = new AbortController()
  setTimeout(() => {
    controller.abort(reason)
  }, 50)
  await expect(findCards(controller.signal, { searchPath })).rejects.toBe(reason)
})

it('makes the error with the reason in it', () => {
  expect(noCard('nvidia-smi finds no devices')).toMatchObject({
    code: 'GPU_NO_CARD',
    exitCode: 3,
    message: 'No NVIDIA card can be used: nvidia-smi finds no devices.',
  })
})
