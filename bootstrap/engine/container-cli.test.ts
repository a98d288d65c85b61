import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { containerCli, parseLoaded } from './container-cli.ts'
import type { Engine } from './engine.ts'
import { fakeCli, type FakeAnswer, type FakeCli } from './testing/fake-cli.ts'
import { temporaryFolder } from './testing/temporary-folder.ts'

const signal = AbortSignal.timeout(60_000)

function engineWith(answers: readonly FakeAnswer[]): { engine: Engine; cli: FakeCli; folder: string } {
  const folder = temporaryFolder()
  const cli = fakeCli(folder, 'podman', answers)
  const engine = containerCli({
    kind: 'podman',
    program: cli.program,
    version: '4.3.1',
    env: { CONTAINERS_CONF: '/state/engine/containers.conf' },
    resolvesNames: true,
    buildFlags: ['--format', 'docker'],
    saveFlags: ['--multi-image-archive'],
    removeFlags: ['--time', '0'],
    deadHint: 'Start it.',
  })
  return { engine, cli, folder }
}

describe('containers', () => {
  const inspected = (id: string, name: string, labels: Record<string, string> | null, mounts?: object[]) =>
    JSON.stringify([
      {
        Id: id,
        Name: name,
        State: { Status: 'running' },
        Config: { Image: 'x:1', Labels: labels },
        Mounts: mounts,
      },
    ])

  it('are listed with their labels and mounts, by name, in the forms of both engines', async () => {
    const { engine, cli } = engineWith([
      { when: 'ps *', stdout: 'bbb\naaa\n' },
      { when: 'container inspect aaa', stdout: inspected('aaa', '/c-worker10', { a: 'b,c=d' }) },
      {
        when: 'container inspect bbb',
        stdout: inspected('bbb', 'c-worker2', null, [{ Source: '/dev/null', Destination: '/run/all' }]),
      },
    ])
    expect(await engine.listContainers('k=v', signal)).toEqual([
      { id: 'bbb', name: 'c-worker2', state: 'running', image: 'x:1', labels: {}, mounts: ['/run/all'] },
      { id: 'aaa', name: 'c-worker10', state: 'running', image: 'x:1', labels: { a: 'b,c=d' }, mounts: [] },
    ])
    expect(cli.calls()[0]).toBe('ps --all --quiet --no-trunc --filter label=k=v')
  })

  it('that vanish while they are listed are left out', async () => {
    const { engine } = engineWith([
      { when: 'ps *', stdout: 'aaa bbb' },
      { when: '* aaa', stderr: 'Error: inspecting object: no such container "aaa"', exit: 125 },
      { when: '* bbb', stdout: inspected('bbb', 'b', {}) },
    ])
    expect(await engine.listContainers('k', signal)).toHaveLength(1)
  })

  it('are removed at once with their volumes, and removing them again is no error', async () => {
    const { engine, cli } = engineWith([
      { when: 'rm *', stderr: 'Error: no container with name or ID "x" found: no such container', exit: 1 },
    ])
    await engine.remove('x', signal)
    expect(cli.calls()).toEqual(['rm --force --time 0 --volumes x'])
  })

  it('that cannot be removed are an error with the pasteable command', async () => {
    const { engine } = engineWith([{ when: 'rm *', stderr: 'Error: device or resource busy', exit: 1 }])
    await expect(engine.remove('x', signal)).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      evidence: [
        expect.stringContaining('CONTAINERS_CONF=/state/engine/containers.conf'),
        expect.stringContaining('busy'),
      ],
    })
  })
})

describe('run', () => {
  it('gives every part of the specification to the engine, and our label', async () => {
    const { engine, cli } = engineWith([{ when: 'run *', stdout: 'out', stderr: 'err', exit: 3 }])
    const result = await engine.run(
      {
        image: 'x:1',
        command: ['/bin/sh', '-c', 'exit 3'],
        name: 'n',
        privileged: true,
        network: 'net',
        env: { A: 'b' },
        labels: { l: 'm' },
        mounts: [{ source: '/s', target: '/t', readOnly: true }],
        tmpfs: ['/run'],
        ports: [{ listenAddress: '::1', hostPort: 8080, containerPort: 80 }],
      },
      signal,
    )
    expect(result).toEqual({ exitCode: 3, stdout: 'out', stderr: 'err' })
    expect(cli.calls()).toEqual([
      'run --rm --sig-proxy=false --name n --pull=never --privileged --network net --env A=b --label io.local-cloud.managed=true --label l=m ' +
        '--volume /s:/t:ro --tmpfs /run --publish [::1]:8080:80 --entrypoint /bin/sh x:1 -c exit 3',
    ])
  })

  it('throws when the engine could not start the container, and removes what is left of it', async () => {
    const { engine, cli } = engineWith([{ when: 'run *', stderr: 'Error: crun: no', exit: 125 }])
    await expect(engine.run({ image: 'x', command: ['a'], name: 'n' }, signal)).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      evidence: ['Error: crun: no'],
    })
    expect(cli.calls().at(-1)).toBe('rm --force --time 0 --volumes n')
  })

  it('never removes a container that had the name before', async () => {
    const taken = 'Error: creating container storage: the container name "n" is already in use by 123'
    const { engine, cli } = engineWith([{ when: 'run *', stderr: taken, exit: 125 }])
    const spec = { image: 'x', command: ['a'], name: 'n' }
    await expect(engine.run(spec, signal)).rejects.toMatchObject({ code: 'COMMAND_FAILED' })
    await expect(engine.runDetached(spec, signal)).rejects.toMatchObject({ code: 'COMMAND_FAILED' })
    expect(cli.calls().filter((call) => call.startsWith('rm'))).toEqual([])
  })

  it('removes the container when it is aborted', async () => {
    const { engine, cli } = engineWith([{ when: 'run *', then: 'exec sleep 60' }])
    const abort = new AbortController()
    setTimeout(() => {
      abort.abort()
    }, 200)
    await expect(engine.run({ image: 'x', command: ['a'], name: 'n' }, abort.signal)).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
    expect(cli.calls().at(-1)).toBe('rm --force --time 0 --volumes n')
  })
})

describe('exec', () => {
  it('returns the exit code of the command', async () => {
    const { engine, cli } = engineWith([{ when: 'exec *', stderr: 'sh: x: not found', exit: 127 }])
    expect((await engine.exec('c', ['x', '-y'], { signal })).exitCode).toBe(127)
    expect(cli.calls()).toEqual(['exec c x -y'])
  })

  it.each([
    'Error: can only create exec sessions on running containers: container state improper',
    'Error response from daemon: container 1f2e is not running',
    'Error: no container with name or ID "c" found: no such container',
  ])('throws when the container is the problem: %s', async (stderr) => {
    const { engine } = engineWith([{ when: 'exec *', stderr, exit: 1 }])
    await expect(engine.exec('c', ['true'], { signal })).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      evidence: [stderr],
    })
  })
})

describe('pull', () => {
  const pulling = (answer: Omit<FakeAnswer, 'when'>, timeoutMs = 30_000) =>
    engineWith([{ when: 'pull *', ...answer }]).engine.pull('registry.test/a:1', { timeoutMs, signal })

  it('says that the registry is unreachable when it hangs, within the time it was given', async () => {
    const started = Date.now()
    await expect(pulling({ then: 'exec sleep 60' }, 300)).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: 'The registry registry.test did not deliver registry.test/a:1 within 0.3 s.',
    })
    expect(Date.now() - started).toBeLessThan(5_000)
  })

  it('does not take the exit code of a podman that was told to stop for success', async () => {
    const { engine } = engineWith([
      { when: 'pull *' },
      { when: 'image inspect *', stderr: 'Error: a: image not known', exit: 125 },
    ])
    await expect(engine.pull('registry.test/a:1', { timeoutMs: 1_000, signal })).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
    })
  })

  it('tells an unreachable registry, a missing image and other trouble apart', async () => {
    await expect(
      pulling({ stderr: 'dial tcp 192.0.2.1:443: connect: connection refused', exit: 125 }),
    ).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
    })
    await expect(
      pulling({ stderr: 'reading manifest 1 in registry.test/a: manifest unknown', exit: 125 }),
    ).rejects.toMatchObject({
      code: 'IMAGE_MISSING',
    })
    await expect(
      pulling({ stderr: 'write /var/tmp/x: no space left on device', exit: 125 }),
    ).rejects.toMatchObject({
      code: 'NO_DISK_SPACE',
    })
    await expect(pulling({ stderr: 'something else', exit: 125 })).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
    })
  })
})

describe('images', () => {
  it('are listed once each, with ids as containerd writes them', async () => {
    const { engine } = engineWith([
      { when: 'images *', stdout: 'sha256:aa\nsha256:aa\nsha256:bb\n' },
      {
        when: 'image inspect sha256:aa sha256:bb',
        stdout: JSON.stringify([
          { Id: 'aa', RepoTags: ['x:1', 'y:1'], Labels: { a: 'b' } },
          { Id: 'sha256:bb', RepoTags: null, Config: { Labels: { c: 'd' } } },
        ]),
      },
    ])
    expect(await engine.listImages('k', signal)).toEqual([
      { id: 'sha256:aa', refs: ['x:1', 'y:1'], labels: { a: 'b' } },
      { id: 'sha256:bb', refs: [], labels: { c: 'd' } },
    ])
  })

  it('exist or not; anything else is an error', async () => {
    const { engine } = engineWith([
      { when: '* there', stdout: 'sha256:aa' },
      { when: '* gone', stderr: 'Error: inspecting object: gone: image not known', exit: 125 },
      { when: '* broken', stderr: 'Error: readlink overlay: invalid argument', exit: 125 },
    ])
    expect(await engine.imageExists('there', signal)).toBe(true)
    expect(await engine.imageExists('gone', signal)).toBe(false)
    expect(await engine.inspectImage('gone', signal)).toBeUndefined()
    await expect(engine.imageExists('broken', signal)).rejects.toMatchObject({ code: 'COMMAND_FAILED' })
  })

  it('are saved whole or not at all', async () => {
    const folder = temporaryFolder()
    const good = engineWith([
      { when: 'save *', then: `while [ $# -gt 1 ] && [ "$1" != --output ]; do shift; done; echo tar > "$2"` },
    ])
    await good.engine.saveArchive(['x:1', 'y:1'], path.join(folder, 'good.tar'), signal)
    expect(readFileSync(path.join(folder, 'good.tar'), 'utf8')).toBe('tar\n')
    expect(good.cli.calls()[0]).toMatch(
      /^save --multi-image-archive --output \S+good\.tar\.partial-\S+ x:1 y:1$/,
    )

    const bad = engineWith([{ when: 'save *', exit: 125, then: 'echo half > "$4"' }])
    await expect(bad.engine.saveArchive(['x:1'], path.join(folder, 'bad.tar'), signal)).rejects.toMatchObject(
      {
        code: 'COMMAND_FAILED',
      },
    )
    expect(existsSync(path.join(folder, 'bad.tar'))).toBe(false)
  })

  it('are built without network unless that is asked for', async () => {
    const { engine, cli } = engineWith([])
    const spec = {
      containerfile: '/c/Containerfile',
      context: '/c',
      tag: 't:1',
      labels: { a: 'b' },
      args: { V: '1' },
    }
    await engine.build(spec, signal)
    await engine.build({ ...spec, network: true }, signal)
    expect(cli.calls()).toEqual([
      'build --format docker --network none --file /c/Containerfile --tag t:1 --label a=b --build-arg V=1 /c',
      'build --format docker --file /c/Containerfile --tag t:1 --label a=b --build-arg V=1 /c',
    ])
  })

  it.each([
    ['Loaded image: docker.io/library/x:1\nLoaded image: y:2\n', ['docker.io/library/x:1', 'y:2']],
    ['Loaded image(s): localhost/x:1,localhost/y:2', ['localhost/x:1', 'localhost/y:2']],
    ['Loaded image ID: sha256:abc', ['sha256:abc']],
    ['Getting image source signatures\n', []],
  ])('are loaded under the names that the engine tells: %j', (stdout, refs) => {
    expect(parseLoaded(stdout)).toEqual(refs)
  })
})

describe('networks', () => {
  const labels = { 'io.local-cloud.managed': 'true' }
  const missing = {
    when: 'network inspect *',
    stderr: 'Error: unable to find network with name or ID n: network not found',
    exit: 125,
  }

  it('are created with labels when they are not there', async () => {
    const { engine, cli } = engineWith([missing])
    await engine.ensureNetwork('n', labels, signal)
    expect(cli.calls().at(-1)).toBe('network create --driver bridge --label io.local-cloud.managed=true n')
  })

  it.each([
    ['docker', [{ Labels: labels }]],
    ['netavark', [{ labels }]],
    ['cni', [{ args: { podman_labels: labels } }]],
  ])('are kept when they are ours, as %s says it', async (_, inspected) => {
    const { engine, cli } = engineWith([{ when: 'network inspect *', stdout: JSON.stringify(inspected) }])
    await engine.ensureNetwork('n', labels, signal)
    expect(cli.calls()).toHaveLength(1)
  })

  it('of others are refused', async () => {
    const { engine } = engineWith([{ when: 'network inspect *', stdout: '[{"labels":{}}]' }])
    await expect(engine.ensureNetwork('n', labels, signal)).rejects.toMatchObject({ code: 'FOREIGN_NETWORK' })
  })
})

it('a daemon that has died is told as such', async () => {
  const { engine } = engineWith([
    {
      when: '*',
      stderr:
        'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
      exit: 1,
    },
  ])
  await expect(engine.listNetworks('k', signal)).rejects.toMatchObject({
    code: 'ENGINE_DEAD',
    hint: 'Start it.',
  })
  await expect(engine.exec('c', ['true'], { signal })).rejects.toMatchObject({ code: 'ENGINE_DEAD' })
})
