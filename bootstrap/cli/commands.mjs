// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.
import path from 'node:path'
import { runtimeClassNames } from '../plan/runtime-classes.mjs'
import {
  addonList,
  address,
  clusterName,
  contextName,
  duration,
  existingFile,
  foldersIn,
  gpu,
  gpuVendor,
  httpUrl,
  imageKinds,
  images,
  integer,
  kubernetesVersion,
  listed,
  location,
  mount,
  oneOf,
  system,
  systems,
} from './flag-values.mjs'

/** @typedef {'up' | 'down' | 'status' | 'doctor' | 'logs' | 'bundle'} CommandName */

/** @typedef {{ command: CommandName, cwd: string, repository: string }} ReadContext */
/** @typedef {(text: string, context: ReadContext) => unknown} Reader */

/**
 * One flag. A flag without `form` takes no value and is a switch, off when absent. `read` turns the text into the value or
 * throws an Error whose message completes "--flag VALUE: …"; `suggest` lists words to compare a refused value with.
 * @typedef {object} Flag
 * @property {string} help
 * @property {string} [form] the value as help shows it
 * @property {string} [key] property of the values; default: the flag's name in camel case
 * @property {string} [alias] another name of the flag
 * @property {boolean} [inverted] a switch whose value is true without it
 * @property {string} [initial] the text that counts when the flag is absent
 * @property {string} [shown] the default as help shows it; default: `initial`
 * @property {string} [bare] the text that counts when the flag is given without a value
 * @property {boolean} [repeatable] collects into a list
 * @property {Reader} [read]
 * @property {(context: ReadContext) => string[]} [suggest]
 * @property {'BAD_VALUE' | 'UNKNOWN_SYSTEM'} [code]
 */

/**
 * @typedef {object} Command
 * @property {string} summary
 * @property {Record<string, Flag>} flags
 * @property {string[]} examples
 * @property {(values: Record<string, unknown>, given: Set<string>, context: ReadContext) => string | undefined} [conflict] what is wrong
 *   with the values together
 */

/** @type {Record<string, Flag>} */
const common = {
  'state-dir': {
    form: 'DIR',
    read: location,
    shown: '.local-cloud in the checkout; LOCAL_CLOUD_STATE_DIR',
    help: 'where everything is kept that the tool writes',
  },
  'cache-dir': {
    form: 'DIR',
    read: location,
    shown: 'cache in the state directory; LOCAL_CLOUD_CACHE_DIR',
    help: 'where built images and downloads are kept',
  },
  json: { help: 'print one JSON event a line on standard output' },
  plain: { help: 'print plain lines without a spinner, as in CI' },
  verbose: { help: 'show every line of progress, and stack traces of errors' },
  help: { help: 'print this help' },
  version: { help: 'print the version' },
}

/** @type {Record<string, Flag>} */
const cluster = {
  name: {
    form: 'NAME',
    read: clusterName,
    initial: 'local-cloud',
    help: 'name of the cluster',
  },
}

/** @type {Record<string, Flag>} */
const contextFlags = {
  context: {
    form: 'NAME',
    read: contextName,
    shown: 'the one of the last up',
    help: 'with --provider existing: context of the kubeconfig that leads to the cluster',
  },
  kubeconfig: {
    form: 'FILE',
    read: existingFile,
    shown: 'KUBECONFIG, else ~/.kube/config',
    help: 'with --provider existing: kubeconfig that has the context; it is only read',
  },
}

/** @param {string[]} kinds @param {string} help @param {string} [initial] @returns {Record<string, Flag>} */
const providerFlag = (kinds, help, initial) => ({
  provider: {
    form: 'KIND',
    read: oneOf(kinds),
    suggest: () => kinds,
    ...(initial === undefined ? { shown: 'what the state directory knows' } : { initial }),
    help,
  },
})

/** For commands that find out by themselves what made a cluster. */
const accessFlags = {
  ...providerFlag(
    ['existing'],
    'existing: a cluster that somebody else made; needed only where the state directory does not know it',
  ),
  ...contextFlags,
}

/** What has to do with nodes that are made here. */
const machineFlags = [
  'nodes',
  'cni',
  'gpu',
  'gpu-vendor',
  'gpu-strategy',
  'gpu-replicas',
  'runtime-class',
  'engine',
  'kubernetes-version',
  'http-port',
  'https-port',
  'listen-address',
  'kubeadm-patch',
  'mount',
  'no-install',
  'merge-kubeconfig',
  'recreate',
]

/** @type {NonNullable<Command['conflict']>} */
const contextAlone = (values, given) => {
  if (values.provider === 'existing') {
    const flag = machineFlags.find((name) => given.has(name))
    return flag === undefined
      ? undefined
      : `--${flag} says nothing with --provider existing: the cluster is there already, and its nodes are not ours`
  }
  const alone = ['context', 'kubeconfig', 'ingress-url'].find((flag) => given.has(flag))
  return alone === undefined ? undefined : `--${alone} says nothing without --provider existing`
}

/** @type {Record<string, Flag>} */
const engine = {
  engine: {
    form: 'ENGINE',
    read: oneOf(['auto', 'podman', 'docker']),
    suggest: () => ['auto', 'podman', 'docker'],
    initial: 'auto',
    help: 'container engine: auto, podman or docker',
  },
}

/** @type {Record<string, Flag>} */
const imageFlags = {
  images: {
    form: 'SOURCE',
    read: images,
    suggest: () => [...imageKinds, 'bundle:'],
    initial: 'auto',
    help: 'where images come from: auto, registry, packages (built here) or bundle:FILE',
  },
  'kubernetes-version': {
    form: 'X.Y.Z',
    read: kubernetesVersion,
    shown: 'the first in images/versions.yaml',
    help: 'Kubernetes version, one of images/versions.yaml',
  },
}

/** @type {Record<string, Flag>} */
const systemFlags = {
  system: {
    form: 'SYSTEM',
    read: system,
    suggest: systems,
    code: 'UNKNOWN_SYSTEM',
    initial: 'slate',
    help: 'system to put on the cluster, a folder under overlays/, several with commas between, or none',
  },
  overlay: {
    key: 'environment',
    alias: 'environment',
    form: 'NAME',
    read: clusterName,
    initial: 'local',
    help: 'overlay of every system, a folder under overlays/SYSTEM/ (also --environment)',
  },
}

/** @type {Record<string, Flag>} */
const systemOptions = {
  models: {
    form: 'KIND',
    read: oneOf(['tiny', 'real']),
    suggest: () => ['tiny', 'real'],
    initial: 'tiny',
    help: 'models of the system: tiny (as the overlay has them, no network) or real (pulled from their hub)',
  },
}

/** @type {Record<string, Flag>} */
const gpuFlags = {
  gpu: {
    form: '[TIER]',
    bare: 'auto',
    read: gpu,
    suggest: () => ['auto', 'real', 'mock'],
    help: 'GPUs on the last node: auto (a card, else the mock), real, or mock:N (a labelled stand-in, N is 2 by default)',
  },
  'gpu-vendor': {
    form: 'VENDOR',
    read: gpuVendor,
    suggest: () => ['nvidia'],
    initial: 'nvidia',
    help: 'whose GPUs: nvidia',
  },
  'gpu-strategy': {
    form: 'STRATEGY',
    read: oneOf(['cdi-cri', 'envvar']),
    suggest: () => ['cdi-cri', 'envvar'],
    initial: 'cdi-cri',
    help: 'how the device plugin hands out devices: cdi-cri or envvar',
  },
  'gpu-replicas': {
    form: 'N',
    read: integer(1, 16),
    initial: '1',
    help: 'time-slicing: each GPU is advertised N times; a container then asks for one at most',
  },
}

/** @type {Record<string, Flag>} */
const runtimeFlags = {
  'runtime-class': {
    key: 'runtimeClasses',
    form: 'NAME',
    read: oneOf(runtimeClassNames),
    suggest: () => [...runtimeClassNames],
    repeatable: true,
    shown: 'those that the system names',
    help: 'RuntimeClass that pods can name: gvisor, a sandbox with a kernel of its own',
  },
}

/** @type {NonNullable<Command['conflict']>} */
const gpuOptionsAlone = (values, given) => {
  const alone = ['gpu-vendor', 'gpu-strategy', 'gpu-replicas'].find((flag) => given.has(flag))
  return values.gpu === undefined && alone !== undefined ? `--${alone} says nothing without --gpu` : undefined
}

/** @type {Record<string, Flag>} */
const install = {
  'no-install': {
    key: 'install',
    inverted: true,
    help: 'install no distribution packages; print the commands instead',
  },
}

/** @param {string} initial @param {string} [note] @returns {Record<string, Flag>} */
const timeout = (initial, note = '') => ({
  timeout: {
    key: 'timeoutMs',
    form: 'DURATION',
    read: duration,
    initial,
    shown: `${initial}${note}`,
    help: 'deadline of the whole command, such as 90s, 20m, 1h30m',
  },
})

/** @type {NonNullable<Command['conflict']>} */
const unknownEnvironment = ({ system: name, environment }, _given, { repository }) => {
  if (name === 'none') return undefined
  for (const one of String(name).split(',')) {
    const known = foldersIn(path.join(repository, 'overlays', one))
    if (known.length > 0 && !known.includes(String(environment)))
      return `--overlay ${String(environment)}: the system ${one} has ${listed(known)}`
  }
  return undefined
}

/** @param {Record<string, unknown>} values @param {Set<string>} given */
const accessAlone = (values, given) => {
  const alone = ['context', 'kubeconfig'].find((flag) => given.has(flag))
  if (values.provider === undefined && alone !== undefined)
    return `--${alone} says nothing without --provider existing`
  return values.provider !== undefined && given.has('engine')
    ? '--engine says nothing with --provider existing'
    : undefined
}

/** @type {Record<CommandName, Command>} */
export const commands = {
  up: {
    summary:
      'Brings up the cluster, its add-ons and the system; changes nothing that is already as it should be.',
    flags: {
      ...cluster,
      ...systemFlags,
      ...systemOptions,
      ...gpuFlags,
      ...runtimeFlags,
      ...providerFlag(
        ['kind', 'k3s', 'existing'],
        'what makes the cluster: kind or k3s; existing for one that is there already (--context)',
        'kind',
      ),
      ...contextFlags,
      'ingress-url': {
        form: 'URL',
        read: httpUrl,
        shown: 'not known',
        help: 'with --provider existing: where its ingress answers, for the shown URLs and the proofs',
      },
      nodes: {
        form: 'N',
        read: integer(1, 4),
        initial: '1',
        help: 'number of nodes, 1 to 4; the first is the control plane',
      },
      cni: {
        form: 'KIND',
        read: oneOf(['cilium', 'basic']),
        suggest: () => ['cilium', 'basic'],
        initial: 'cilium',
        help: 'pod network: cilium, or basic, which k3s brings, is faster and enforces no policy',
      },
      addons: {
        form: 'LIST',
        read: addonList,
        shown: 'all; none with --provider existing',
        help: 'add-ons: all, none, or names with commas between them; what they need comes along',
      },
      ...engine,
      ...imageFlags,
      'http-port': {
        form: 'PORT',
        read: integer(1, 65535),
        initial: '8080',
        help: 'host port of the ingress for HTTP',
      },
      'https-port': {
        form: 'PORT',
        read: integer(1, 65535),
        initial: '8443',
        help: 'host port of the ingress for HTTPS',
      },
      'listen-address': {
        form: 'ADDRESS',
        read: address,
        initial: '127.0.0.1',
        help: 'host address of both ports',
      },
      'kubeadm-patch': {
        key: 'kubeadmPatches',
        form: 'FILE',
        read: existingFile,
        repeatable: true,
        help: 'file with a kubeadm patch (YAML)',
      },
      mount: {
        key: 'extraMounts',
        form: 'HOST:NODE[:ro]',
        read: mount,
        repeatable: true,
        help: 'directory of this machine to show in every node',
      },
      ...install,
      'merge-kubeconfig': { help: "add the cluster to the user's own kubeconfig" },
      'dry-run': { help: 'print the plan and change nothing' },
      recreate: { help: 'remove the cluster first when a changed option needs a new one' },
      ...timeout('20m', ', not counting image builds'),
      ...common,
    },
    examples: [
      'npx zx bootstrap/up.mjs',
      'npx zx bootstrap/up.mjs --dry-run',
      'npx zx bootstrap/up.mjs --system slate --overlay local',
      'npx zx bootstrap/up.mjs --name demo --nodes 2 --http-port 9080 --https-port 9443',
      'npx zx bootstrap/up.mjs --images bundle:local-cloud-bundle.tar',
      'npx zx bootstrap/up.mjs --gpu',
      'npx zx bootstrap/up.mjs --gpu=mock:4 --gpu-replicas 2',
      'npx zx bootstrap/up.mjs --runtime-class gvisor',
      'npx zx bootstrap/up.mjs --provider existing --context staging --images registry',
    ],
    conflict: (values, given, context) =>
      values.httpPort === values.httpsPort
        ? `--http-port and --https-port are both ${String(values.httpPort)}; they must differ`
        : (contextAlone(values, given, context) ??
          gpuOptionsAlone(values, given, context) ??
          unknownEnvironment(values, given, context)),
  },
  down: {
    summary:
      'Removes the cluster and everything of ours that belongs to it, then checks that nothing is left.',
    flags: {
      ...cluster,
      all: { help: 'remove every cluster of ours' },
      purge: { help: 'also remove the state directory: built images, caches, tools' },
      ...accessFlags,
      ...engine,
      ...timeout('10m'),
      ...common,
    },
    examples: [
      'npx zx bootstrap/down.mjs',
      'bootstrap/down --name demo',
      'bootstrap/down --all --purge',
      'bootstrap/down --provider existing --context staging',
    ],
    conflict: (values, given) => {
      if (given.has('all') && given.has('name')) return '--all and --name exclude each other'
      if (given.has('all') && given.has('provider')) return '--all and --provider exclude each other'
      return accessAlone(values, given)
    },
  },
  status: {
    summary:
      'Shows how far the cluster, its add-ons and the system are, and how the system’s services do; only reads.',
    flags: { ...cluster, ...accessFlags, ...engine, ...timeout('2m'), ...common },
    examples: ['npx zx bootstrap/status.mjs', 'npx zx bootstrap/status.mjs --name demo --json'],
    conflict: accessAlone,
  },
  doctor: {
    summary:
      'Checks every prerequisite of this machine and says what to do about each that is not met; only reads.',
    flags: { ...engine, ...timeout('2m'), ...common },
    examples: ['npx zx bootstrap/doctor.mjs', 'npx zx bootstrap/doctor.mjs --json'],
  },
  logs: {
    summary:
      'Writes one archive with nodes, objects, events, container logs and versions; secrets are removed.',
    flags: {
      ...cluster,
      output: {
        form: 'FILE',
        read: location,
        shown: 'local-cloud-logs-NAME-TIME.tgz here',
        help: 'archive to write',
      },
      ...engine,
      ...timeout('5m'),
      ...common,
    },
    examples: ['npx zx bootstrap/logs.mjs', 'npx zx bootstrap/logs.mjs --name demo --output demo-logs.tgz'],
  },
  bundle: {
    summary:
      'Writes one archive with every image that up needs for the systems, for a machine without network.',
    flags: {
      output: {
        form: 'FILE',
        read: location,
        shown: 'local-cloud-bundle.tar here',
        help: 'archive to write',
      },
      ...systemFlags,
      ...imageFlags,
      ...engine,
      ...install,
      ...timeout('2h'),
      ...common,
    },
    examples: [
      'npx zx bootstrap/bundle.mjs',
      'npx zx bootstrap/bundle.mjs --images packages --output local-cloud-bundle.tar',
      'npx zx bootstrap/bundle.mjs --system slate,zones',
    ],
    conflict: unknownEnvironment,
  },
}
