import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findProgram } from '../../bootstrap/engine/find-program.ts'
import { findCards } from '../../bootstrap/gpu/find-cards.ts'
import { runCommand } from '../../bootstrap/process/run-command.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { requireCanary } from '../harness/canaries.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { execInComponent } from '../harness/component-exec.ts'
import { openGpuGround, type GpuGround } from '../harness/gpu-ground.ts'
import { startGpuPod } from '../harness/gpu-pod.ts'
import { recordOf } from '../harness/record.ts'
import { requireSlate } from '../harness/slate.ts'
import { CheckBroke, NotProven } from '../harness/verdict.ts'

/*
 * What the mock cannot show. On a cluster without a real card nothing of it is proven, and each test says so.
 */
const choice = choiceFromEnvironment()
const contract = readContract()
const ollama = contract.deployments.find(({ name }) => name === 'ollama')

let cluster: Cluster
let ground: GpuGround
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  const signal = AbortSignal.timeout(90_000)
  requireCanary('gpu')
  cluster = await attach(choice, signal)
  ground = stack.use(await openGpuGround(cluster, 'gpu-real', signal))
  if (ground.node.tier !== 'real')
    throw new NotProven(`The GPUs of this cluster are of tier ${ground.node.tier}, which computes nothing.`)
}, 100_000)
afterAll(() => stack.disposeAsync(), 90_000)

describe('a real card', () => {
  it('is the one in the pod that nvidia-smi lists on this machine', async ({ task, signal }) => {
    const found = await findCards(signal)
    if ('reason' in found)
      throw new CheckBroke(`The cards of this machine cannot be listed: ${found.reason}.`)
    await ground.requireFree(1, signal)
    const [pod] = await ground.fill(1, signal)
    if (!pod) throw new CheckBroke('There is no pod.')
    const { uuid } = await ground.givenTo(pod, signal)
    expect(found.cards.map((card) => card.uuid)).toContain(uuid)
    recordOf(task.meta).facts.push({ name: 'card', value: uuid })
    await ground.remove(pod)
  })

  it('adds two vectors with CUDA', async ({ task, signal }) => {
    const nvcc = findProgram('nvcc')
    if (nvcc === undefined) throw new NotProven('nvcc, which compiles the program, is not on PATH.')
    if (!ollama?.image)
      throw new CheckBroke('The contract names no image of Ollama, whose C library the program uses.')
    const folder = await mkdtemp(path.join(tmpdir(), 'vector-add-'))
    try {
      const program = path.join(folder, 'vector-add')
      const source = path.join(choice.paths.repo, 'fixtures', 'gpu', 'cuda', 'vector-add.cu')
      await runCommand(nvcc, ['-cudart', 'static', '-o', program, source], { signal })
      await ground.requireFree(1, signal)
      const pod = await startGpuPod(
        ground.kube,
        ground.pod('cuda', { gpus: '1', image: ollama.image }),
        signal,
      )
      const { exitCode, stdout, stderr } = await pod.runProgram(await readFile(program), signal)
      expect(exitCode, stderr).toBe(0)
      recordOf(task.meta).facts.push({ name: 'vector add', value: stdout.trim() })
      await ground.remove(pod)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it('holds the model that Ollama answers with', async ({ task, signal }) => {
    requireSlate(cluster)
    if (cluster.record?.images?.source === 'packages')
      throw new NotProven(
        'Ollama built from packages has no CUDA backend: it computes on the CPU whatever card it has.',
      )
    const ask = async (...argv: string[]): Promise<string> => {
      const place = { namespace: contract.namespace.name, component: ollama?.component ?? '' }
      const { exitCode, stdout, stderr } = await execInComponent(cluster.kube, place, argv, signal)
      if (exitCode !== 0) throw new CheckBroke(`${argv.join(' ')}: ${stderr.trim()}`)
      return stdout
    }
    await ask('ollama', 'run', 'slate-fast', 'one word')
    const processes = await ask('ollama', 'ps')
    expect(processes).toMatch(/slate-fast.*GPU/)
    recordOf(task.meta).facts.push({ name: 'ollama ps', value: processes.trim() })
  })
})
