import { expect, it } from 'vitest'
import type { ContainerInfo, Engine } from '../../engine/engine.ts'
import { fakeEngine } from '../../engine/fake-engine.ts'
import { kindEvidence, nodeEvidence } from './kind-failure.ts'

const node: ContainerInfo = {
  id: 'i',
  name: 'c-control-plane',
  state: 'running',
  image: 'x',
  labels: {},
  mounts: [],
}
const signal = AbortSignal.timeout(10_000)

it('kubeadm’s trace of requests does not bury what it says', () => {
  const trace = Array.from(
    { length: 200 },
    () => 'I1121 13:27:26.358627      99 round_trippers.go:632] "Response" verb="GET" status=""',
  )
  expect(
    kindEvidence(['ERROR: failed to init node with kubeadm', '[init] using v1.36.4', ...trace, '']),
  ).toEqual(['ERROR: failed to init node with kubeadm', '[init] using v1.36.4'])
})

it('a node tells by its console, its kubelet and its ended containers, without colours', async () => {
  const repeated = ['02.898554', '02.992165']
    .map((time) => `E1121 13:31:${time}     152 kubelet.go:3516] "not registered"`)
    .join('\n')
  const engine: Engine = {
    ...fakeEngine().engine,
    logs: () => Promise.resolve('[\u001B[0;32m  OK  \u001B[0m] Reached target\n'),
    exec: () =>
      Promise.resolve({
        exitCode: 0,
        stderr: '',
        stdout: `${repeated}\ncontainer kube-apiserver, ended:\nError: unknown flag: --x\n`,
      }),
  }
  expect(await nodeEvidence(engine, node, signal)).toEqual([
    'node c-control-plane (running):',
    '[  OK  ] Reached target',
    'E1121 13:31:02.898554     152 kubelet.go:3516] "not registered"',
    'container kube-apiserver, ended:',
    'Error: unknown flag: --x',
  ])
})

it('a node that cannot be asked does not hide the failure', async () => {
  const refuse = () => Promise.reject(new Error('gone'))
  const engine: Engine = { ...fakeEngine().engine, logs: refuse, exec: refuse }
  expect(await nodeEvidence(engine, node, signal)).toEqual(['node c-control-plane (running):'])
})
