import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { driverRootFiles, driverRootLinks } from '../../../fixtures/gpu/node-files.ts'
import { createAssembler, outputPath } from '../assemble.ts'
import { fileDigest, filesBelow, type BuiltComponent } from '../component-cache.ts'
import { componentsOfImage } from '../components-of-image.ts'
import { writeArchive } from '../oci/archive.ts'
import { makeImage, type Image } from '../oci/image.ts'
import { existingLayer, writeLayer, type LayerEntry } from '../oci/layer.ts'
import type { ImageRecipe, Versions } from '../versions.ts'
import { ciliumCrds } from './cilium-crds.ts'
import { makeSeed } from './seed.ts'

/** Sources of ours that decide what is assembled; a change in them makes another node image. */
const assemblers = ['assemble.ts', 'base-layers.ts', 'node', 'oci']

/** Programs of the node by component output; every Kubernetes program is one file with several names. */
const programs: Record<string, string> = {
  '/usr/local/bin/containerd': 'containerd/containerd',
  '/usr/local/bin/containerd-shim-runc-v2': 'containerd/containerd-shim-runc-v2',
  '/usr/local/bin/ctr': 'containerd/ctr',
  '/usr/local/bin/crictl': 'crictl/crictl',
  '/usr/local/bin/kubernetes': 'kubernetes/kubernetes',
  '/usr/local/bin/k3s-compatible': 'k3s-compatible/k3s-compatible',
  '/opt/cni/bin/loopback': 'cni-plugins/loopback',
  '/opt/cni/bin/bridge': 'cni-plugins/bridge',
  '/opt/cni/bin/ptp': 'cni-plugins/ptp',
  '/opt/cni/bin/host-local': 'cni-plugins/host-local',
  '/opt/cni/bin/portmap': 'cni-plugins/portmap',
  '/usr/local/bin/runsc': 'gvisor/runsc',
  '/usr/local/bin/containerd-shim-runsc-v1': 'gvisor/containerd-shim-runsc-v1',
  '/usr/bin/nvidia-ctk': 'nvidia-container-toolkit/nvidia-ctk',
  '/usr/bin/nvidia-cdi-hook': 'nvidia-container-toolkit/nvidia-cdi-hook',
  '/usr/bin/nvidia-container-runtime': 'nvidia-container-toolkit/nvidia-container-runtime',
  ...Object.fromEntries(
    Object.entries(driverRootFiles).map(([path, output]) => [path, `mock-gpu-driver/${output}`]),
  ),
}

const enabledUnits = ['local-cloud-gpu.service', 'containerd.service', 'kubelet.service']

/** Units of a machine that make no sense in a container or cost start time. */
const maskedUnits = [
  'apt-daily-upgrade.timer', 'apt-daily.timer', 'console-getty.service', 'dev-hugepages.mount', 'dev-mqueue.mount', 'dpkg-db-backup.timer',
  'e2scrub_all.timer', 'e2scrub_reap.service', 'fstrim.timer', 'getty.target', 'kmod-static-nodes.service', 'modprobe@.service',
  'nftables.service', 'sys-fs-fuse-connections.mount', 'sys-kernel-config.mount', 'sys-kernel-debug.mount', 'sys-kernel-tracing.mount',
  'systemd-binfmt.service', 'systemd-firstboot.service', 'systemd-hwdb-update.service', 'systemd-journal-flush.service', 'systemd-logind.service',
  'systemd-modules-load.service', 'systemd-networkd.service', 'systemd-pcrphase.service', 'systemd-pcrphase-sysinit.service',
  'systemd-random-seed.service', 'systemd-remount-fs.service', 'systemd-rfkill.socket', 'systemd-sysusers.service', 'systemd-tmpfiles-clean.timer',
  'systemd-udev-trigger.service', 'systemd-udevd.service', 'systemd-udevd-control.socket', 'systemd-udevd-kernel.socket',
  'systemd-update-done.service', 'systemd-update-utmp-runlevel.service', 'systemd-update-utmp.service',
] // prettier-ignore

export interface NodeImageFile {
  ref: string
  /** Archive that Docker and Podman load. */
  archive: string
  /** Image id, `sha256:…`. */
  id: string
  preloaded: { ref: string; id: string; layers: string[] }[]
}

interface NodeImageJob {
  repo: string
  cacheDir: string
  versions: Versions
  components: ReadonlyMap<string, BuiltComponent>
  /** What the image holds from its first second; default: every preloaded recipe. */
  preload?: ImageRecipe[]
  signal: AbortSignal
  progress: (message: string) => void
}

/** Recipes of the images that a node holds from its first second. */
export const preloadedRecipes = (versions: Versions): ImageRecipe[] =>
  versions.images.filter((image) => image.preload)

/** Names of the components that are in the node image: its root file system, its programs, what is applied first, and the preloaded images. */
export const nodeComponents = (versions: Versions): Set<string> =>
  new Set([
    'node-rootfs',
    'cilium',
    ...Object.values(programs).map((output) => output.slice(0, output.indexOf('/'))),
    ...preloadedRecipes(versions).flatMap(componentsOfImage),
  ])

/** Key of the node image: changes when a component in it, a recipe, or a file under images/node changes. 16 hexadecimal digits. */
export async function nodeImageKey(
  repo: string,
  versions: Versions,
  componentKeys: ReadonlyMap<string, string>,
): Promise<string> {
  const hash = createHash('sha256')
  const within = nodeComponents(versions)
  const keys = [...componentKeys].filter(([name]) => within.has(name)).sort()
  hash.update(JSON.stringify([versions.kubernetes, preloadedRecipes(versions), keys]))
  const files = join(repo, 'images', 'node', 'files')
  for (const file of await filesBelow(files)) {
    const path = join(files, file)
    hash.update(`\0${file}\0${String((await stat(path)).mode & 0o111)}\0`).update(await readFile(path))
  }
  for (const own of preloadedRecipes(versions).flatMap((image) =>
    (image.layers ?? []).flatMap((layer) => Object.values(layer.own ?? {})),
  )) {
    hash.update(await readFile(join(repo, 'images', own)))
  }
  hash.update(await assemblerSources(repo))
  return hash.digest('hex').slice(0, 16)
}

async function assemblerSources(repo: string): Promise<string> {
  const root = join(repo, 'bootstrap', 'images')
  const files = (await filesBelow(root)).filter(
    (file) =>
      !file.endsWith('.test.ts') && assemblers.some((path) => file === path || file.startsWith(`${path}/`)),
  )
  return (await Promise.all(files.map((file) => readFile(join(root, file), 'utf8')))).join('\0')
}

/** Name and label of every node image that was built here. */
export const nodeImageName = 'localhost/local-cloud-node:'
export const nodeImageLabel = 'io.local-cloud.kubernetes'

/** Engine reference of the node image with this key. */
export const nodeImageRef = (versions: Versions, key: string): string =>
  `${nodeImageName}${versions.kubernetes}-${key}`

/** The finished archive, when it is there and its content has the recorded digest. */
export async function findNodeImage(
  cacheDir: string,
  key: string,
  options: { verify: boolean },
): Promise<NodeImageFile | undefined> {
  const directory = join(cacheDir, 'node', key)
  const text = await readFile(join(directory, 'image.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const record = JSON.parse(text) as Omit<NodeImageFile, 'archive'> & { digest: string }
  const archive = join(directory, 'image.tar')
  if (!(await stat(archive).catch(() => undefined))) return undefined
  if (options.verify && (await fileDigest(archive)) !== record.digest) return undefined
  return { ref: record.ref, id: record.id, preloaded: record.preloaded, archive }
}

/**
 * Assembles the node image by kind's contract (an image that boots systemd, /kind/version, kubeadm and its images at hand) and keeps
 * it under its key; older ones are removed.
 */
export async function buildNodeImage(job: NodeImageJob, key: string): Promise<NodeImageFile> {
  const parent = join(job.cacheDir, 'node')
  await mkdir(parent, { recursive: true })
  const work = await mkdtemp(join(parent, '.building-'))
  try {
    const preloaded = await assemblePreloaded(job, work)
    const ref = nodeImageRef(job.versions, key)
    const image = await assembleNode(job, work, ref, preloaded)
    job.progress('writing the node image')
    const output = join(work, 'output')
    await mkdir(output)
    await writeArchive([image], join(output, 'image.tar'))
    const record = {
      ref,
      id: image.id,
      digest: await fileDigest(join(output, 'image.tar')),
      preloaded: preloaded.map(({ ref: name, id, layers }) => ({
        ref: name,
        id,
        layers: layers.map((layer) => layer.digest),
      })),
    }
    await writeFile(join(output, 'image.json'), JSON.stringify(record, undefined, 2))
    await rm(join(parent, key), { recursive: true, force: true })
    await rename(output, join(parent, key))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  for (const other of await readdir(parent)) {
    if (other !== key) await rm(join(parent, other), { recursive: true, force: true })
  }
  const built = await findNodeImage(job.cacheDir, key, { verify: false })
  if (!built) throw new Error('the node image vanished while it was stored')
  return built
}

async function assemblePreloaded(job: NodeImageJob, work: string): Promise<Image[]> {
  const layersDirectory = join(work, 'layers')
  await mkdir(layersDirectory)
  const assembler = createAssembler({
    repo: job.repo,
    layersDirectory,
    components: job.components,
    signal: job.signal,
  })
  const images: Image[] = []
  for (const recipe of job.preload ?? preloadedRecipes(job.versions)) {
    job.progress(`assembling ${recipe.ref}`)
    images.push(await assembler.image(recipe))
  }
  return images
}

async function assembleNode(
  job: NodeImageJob,
  work: string,
  ref: string,
  preloaded: Image[],
): Promise<Image> {
  const archive = join(work, 'preloaded.tar')
  await writeArchive(preloaded, archive)
  const seedWork = join(work, 'seed')
  await mkdir(seedWork)
  const seedTar = join(work, 'seed.tar')
  const pinned = preloaded.find((image) => image.ref.includes('/pause:'))
  if (!pinned) throw new Error('images/versions.yaml names no pause image')
  await makeSeed({
    archive,
    containerd: outputPath(job.components, 'containerd/containerd'),
    ctr: outputPath(job.components, 'containerd/ctr'),
    workDirectory: seedWork,
    output: seedTar,
    pinned: pinned.ref,
    signal: job.signal,
    progress: job.progress,
  })
  await rm(archive)
  await rm(seedWork, { recursive: true })
  const crdsWork = join(work, 'crds')
  await mkdir(crdsWork)
  const crds = await ciliumCrds(outputPath(job.components, 'cilium/crds'), crdsWork, job.signal)
  const layers = [
    await existingLayer(outputPath(job.components, 'node-rootfs/rootfs')),
    await existingLayer(seedTar),
    await writeLayer(
      Object.entries(programs).map(([path, output]): LayerEntry => ({
        kind: 'file',
        path,
        source: outputPath(job.components, output),
        mode: 0o755,
      })),
      join(work, 'programs.tar'),
    ),
    await writeLayer(await nodeFiles(job, crds), join(work, 'files.tar')),
  ]
  return makeImage(ref, layers, {
    entrypoint: ['/usr/local/bin/entrypoint', '/sbin/init'],
    environment: { container: 'oci' },
    stopSignal: 'SIGRTMIN+3',
    labels: {
      'io.local-cloud.managed': 'true',
      'io.local-cloud.source': 'packages',
      [nodeImageLabel]: job.versions.kubernetes,
    },
  })
}

async function nodeFiles(job: NodeImageJob, crds: string): Promise<LayerEntry[]> {
  const root = join(job.repo, 'images', 'node', 'files')
  const files: LayerEntry[] = []
  for (const file of await filesBelow(root)) {
    const source = join(root, file)
    files.push({
      kind: 'file',
      path: `/${file}`,
      source,
      mode: (await stat(source)).mode & 0o111 ? 0o755 : 0o644,
    })
  }
  const link = (path: string, target: string): LayerEntry => ({ kind: 'link', path, target })
  return [
    ...files,
    { kind: 'text', path: '/kind/version', text: job.versions.kubernetes },
    // kind applies this file first thing; the default storage class comes with the local-path add-on.
    { kind: 'text', path: '/kind/manifests/default-storage.yaml', text: crds },
    ...['kubelet', 'kubeadm', 'kubectl'].map((name) => link(`/usr/bin/${name}`, '/usr/local/bin/kubernetes')),
    ...enabledUnits.map((unit) =>
      link(`/etc/systemd/system/multi-user.target.wants/${unit}`, `/etc/systemd/system/${unit}`),
    ),
    ...maskedUnits.map((unit) => link(`/etc/systemd/system/${unit}`, '/dev/null')),
    ...Object.entries(driverRootLinks).map(([path, target]) => link(path, target)),
    link('/etc/systemd/system/default.target', '/lib/systemd/system/multi-user.target'),
    { kind: 'directory', path: '/etc/kubernetes/manifests' },
    { kind: 'directory', path: '/etc/cni/net.d' },
    { kind: 'text', path: '/etc/machine-id', text: '' },
    { kind: 'text', path: '/etc/fstab', text: '' },
  ]
}
