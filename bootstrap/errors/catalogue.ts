import type { ErrorFamily } from './local-cloud-error.ts'

interface CatalogueEntry {
  family: ErrorFamily
  /** When this code is used. */
  cause: string
  /** What the user can do about it in general. */
  hint: string
}

/**
 * Every error code with its family, cause and remedy. Codes are never renamed or reused;
 * `docs/errors.md` is generated from this table (`npm run docs:errors`).
 */
export const catalogue = {
  UNKNOWN_FLAG: { family: 'usage', cause: 'A flag that the command does not know.', hint: 'See --help.' },
  BAD_VALUE: { family: 'usage', cause: 'A flag has a value it cannot take.', hint: 'See --help.' },
  UNKNOWN_SYSTEM: {
    family: 'usage',
    cause: 'No system or overlay of that name.',
    hint: 'List the folders under overlays/.',
  },
  CHANGE_NEEDS_RECREATE: {
    family: 'usage',
    cause: 'An option differs from the running cluster and cannot be changed in place.',
    hint: 'Repeat the command with --recreate, or choose another --name.',
  },
  FOREIGN_CLUSTER: {
    family: 'prerequisite',
    cause: 'A cluster of that name exists and was not made by local-cloud; it is never touched.',
    hint: 'Choose another --name, or delete that cluster yourself.',
  },
  FOREIGN_NETWORK: {
    family: 'prerequisite',
    cause:
      'A container network of the needed name exists and was not made by local-cloud; it is never touched.',
    hint: 'Choose another --name, or remove that network yourself.',
  },
  FOREIGN_OBJECTS: {
    family: 'prerequisite',
    cause:
      'On an existing cluster, namespaces or objects of the needed names are there and were not put there by local-cloud under this name; they are never touched, and nothing was changed.',
    hint: 'Rename or remove them yourself, choose another system, or hand them over with the labels that docs/how-to/use-an-existing-cluster.md names.',
  },
  FOREIGN_ADDON: {
    family: 'prerequisite',
    cause:
      'An existing cluster has what an add-on gives already, from somebody else; the two would be in each other’s way. Nothing was changed.',
    hint: 'Leave the add-on out of --addons: what is there is used.',
  },
  CAPABILITY_MISSING: {
    family: 'prerequisite',
    cause:
      'An existing cluster lacks something without which the system cannot become ready, such as a default storage class; nothing was changed.',
    hint: 'Have the cluster’s owner provide it, or install the add-on that the message names.',
  },
  PORT_TAKEN: {
    family: 'prerequisite',
    cause: 'A host port for the ingress is in use by another process.',
    hint: 'Stop that process or pass --http-port/--https-port.',
  },
  NO_ENGINE: {
    family: 'prerequisite',
    cause: 'No container engine was found and none may be installed.',
    hint: 'Install Docker or Podman, then run the command again.',
  },
  ENGINE_DEAD: {
    family: 'prerequisite',
    cause: 'A container engine is installed but does not answer.',
    hint: 'Start it (for Docker: systemctl start docker) and run the command again.',
  },
  NO_DISK_SPACE: {
    family: 'prerequisite',
    cause: 'The file system does not have the space the work needs.',
    hint: 'Free some space (bootstrap/down --all --purge removes every cluster of ours and all that was built for them), or put state and caches on another disk with --state-dir and --cache-dir.',
  },
  NO_PERMISSION: {
    family: 'prerequisite',
    cause: 'A file or operation is not permitted to this user.',
    hint: 'Run as a user with that right.',
  },
  MISSING_TOOL: {
    family: 'prerequisite',
    cause: 'A program that the work needs is not installed.',
    hint: 'Install the named package and run the command again.',
  },
  UNSUPPORTED_HOST: {
    family: 'prerequisite',
    cause: 'This operating system or processor cannot do what was asked.',
    hint: 'Use another image source or host; see the limits in README.md.',
  },
  PREREQUISITES_NOT_MET: {
    family: 'prerequisite',
    cause: 'The doctor found that this machine lacks something that is needed.',
    hint: 'Do what the table says for each line marked fail.',
  },
  LOCKED: {
    family: 'prerequisite',
    cause: 'Another local-cloud process works on the same cluster.',
    hint: 'Wait for it to end, or stop it.',
  },
  NO_CLUSTER: {
    family: 'prerequisite',
    cause: 'There is no cluster of that name.',
    hint: 'Create it: npx zx bootstrap/up.mjs',
  },
  GPU_NO_CARD: {
    family: 'prerequisite',
    cause: 'A real GPU was asked for and this machine has no NVIDIA card that its driver answers for.',
    hint: 'Run nvidia-smi, which must list the card (Ubuntu: ubuntu-drivers install; Debian: apt-get install nvidia-driver); or pass --gpu=mock.',
  },
  GPU_DRIVER_TOO_OLD: {
    family: 'prerequisite',
    cause: 'The NVIDIA driver is older than programs of CUDA 12 need.',
    hint: 'Install a newer one (Ubuntu: ubuntu-drivers install; Debian: apt-get install nvidia-driver), start the machine anew, and check with: nvidia-smi',
  },
  GPU_TOOLKIT_MISSING: {
    family: 'prerequisite',
    cause: 'The NVIDIA Container Toolkit is not on this machine, so no container can get a card.',
    hint: 'Add NVIDIA’s package source (NVIDIA Container Toolkit documentation, installation guide), then run: apt-get install nvidia-container-toolkit',
  },
  GPU_TOOLKIT_TOO_OLD: {
    family: 'prerequisite',
    cause: 'The NVIDIA Container Toolkit on this machine is too old.',
    hint: 'Run: apt-get update && apt-get install --only-upgrade nvidia-container-toolkit',
  },
  GPU_ENGINE_RUNTIME: {
    family: 'prerequisite',
    cause:
      'The container engine does not have NVIDIA’s runtime as its default, by which a kind node gets a card.',
    hint: 'Run: nvidia-ctk runtime configure --runtime=docker --set-as-default && systemctl restart docker',
  },
  GPU_MOUNTS_OFF: {
    family: 'prerequisite',
    cause: 'NVIDIA’s runtime does not take mounts for devices, which is how a kind node asks for cards.',
    hint: 'Run: nvidia-ctk config --set accept-nvidia-visible-devices-as-volume-mounts=true --in-place',
  },
  GPU_INOTIFY_LIMITS: {
    family: 'prerequisite',
    cause: 'The kernel’s inotify limits are too low for a cluster with GPUs.',
    hint: 'Run: sysctl -w fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288',
  },
  GPU_NODE_RUNTIME: {
    family: 'prerequisite',
    cause: 'containerd in the node has no runtime nvidia: its image was made without it.',
    hint: 'Make the nodes anew: npx zx bootstrap/up.mjs --gpu --recreate',
  },
  GPU_IN_USE: {
    family: 'prerequisite',
    cause:
      'Another cluster of local-cloud has this machine’s card; two would each count all of it as theirs.',
    hint: 'Remove that cluster: bootstrap/down --name NAME; or pass --gpu=mock.',
  },
  GPU_NOT_REGISTERED: {
    family: 'kubernetes',
    cause: 'NVIDIA’s device plugin runs but the node does not advertise the GPUs that it should.',
    hint: 'Run: npx zx bootstrap/logs.mjs and read the device plugin’s log, then up again.',
  },
  GVISOR_HOST: {
    family: 'prerequisite',
    cause:
      'Pods in gVisor were asked for (--runtime-class gvisor, or by the system) and this machine cannot run it: its processor, its kernel or what it forbids. Nothing was changed.',
    hint: 'See "What the machine must allow" in docs/how-to/use-gvisor.md, or leave --runtime-class gvisor out.',
  },
  NODE_PROGRAM_MISSING: {
    family: 'prerequisite',
    cause: 'An add-on needs programs in the nodes, and the image of the nodes was made without them.',
    hint: 'Use --images packages, whose node image has them; nodes that are there already are made anew with --recreate.',
  },
  RUNTIME_CLASS_MISSING: {
    family: 'prerequisite',
    cause:
      'Pods of the system name a RuntimeClass that nobody provides, so that the API server would refuse them; nothing was changed.',
    hint: 'Add the flag that the message names, or provide the RuntimeClass first.',
  },
  NODE_START_FAILED: {
    family: 'command',
    cause: 'The container of a node ended, or was not complete in time, while it started.',
    hint: 'The stage and the last lines of its log say where it stopped; the half-made nodes were removed.',
  },
  COMMAND_FAILED: {
    family: 'command',
    cause: 'A program ended with an error.',
    hint: 'Read the last lines of its output; the command can be pasted and repeated.',
  },
  BUILD_FAILED: {
    family: 'command',
    cause: 'A component could not be built from its package.',
    hint: 'Run the same command again: finished components are kept and the build resumes at this one.',
  },
  REGISTRY_UNREACHABLE: {
    family: 'command',
    cause: 'A container registry did not answer in time.',
    hint: 'Use --images packages, or a bundle.',
  },
  IMAGE_MISSING: {
    family: 'command',
    cause: 'An image is in none of the chosen sources.',
    hint: 'Check --images and the versions file images/versions.yaml.',
  },
  CACHE_CORRUPT: {
    family: 'command',
    cause: 'A cache entry does not match its digest and could not be rebuilt.',
    hint: 'Delete the named entry and run the command again.',
  },
  BAD_BUNDLE: {
    family: 'config',
    cause: 'A bundle is not one of ours, is damaged, or was made for another version.',
    hint: 'Make it again with: npx zx bootstrap/bundle.mjs',
  },
  BAD_VERSIONS_FILE: {
    family: 'config',
    cause: 'images/versions.yaml does not have the required form.',
    hint: 'Correct the named field.',
  },
  BAD_KUBECONFIG: {
    family: 'config',
    cause: 'A kubeconfig cannot be read, does not name what it should, or cannot be edited safely.',
    hint: 'Correct the named file, or use another with KUBECONFIG.',
  },
  BAD_ADDON: {
    family: 'config',
    cause: 'An add-on folder does not have the required form.',
    hint: 'Correct the named file; docs/how-to/add-an-addon.md tells the form.',
  },
  BAD_SYSTEM_FILE: {
    family: 'config',
    cause: 'manifests/SYSTEM/system.yaml does not have the required form.',
    hint: 'Correct the named field; docs/how-to/add-a-system.md tells the form.',
  },
  SYSTEM_DOES_NOT_FIT: {
    family: 'prerequisite',
    cause: 'The system asks for more than this machine or cluster has; nothing was changed.',
    hint: 'Choose another overlay, or a larger machine.',
  },
  IMAGE_NOT_SUPPLIED: {
    family: 'prerequisite',
    cause: 'A pod of the system names an image that would never come into the nodes; nothing was changed.',
    hint: 'Choose another overlay or image source.',
  },
  SECRET_MISSING: {
    family: 'prerequisite',
    cause:
      'Pods of the system name a Secret that is managed outside of it and is not in the cluster; nothing was changed.',
    hint: 'Make it with the shown command and run up again.',
  },
  NO_SYSTEM: {
    family: 'prerequisite',
    cause: 'The cluster has no system on it, or not the one that was named.',
    hint: 'Put it on the cluster: npx zx bootstrap/up.mjs',
  },
  MANIFEST_INVALID: {
    family: 'manifest',
    cause: 'A manifest does not validate; nothing was applied.',
    hint: 'Correct the named field.',
  },
  RENDER_FAILED: {
    family: 'manifest',
    cause: 'A kustomization could not be rendered; nothing was applied.',
    hint: 'Run the shown command by hand.',
  },
  API_REFUSED: {
    family: 'kubernetes',
    cause: 'The Kubernetes API refused a request.',
    hint: 'Read the reason; it is the API server’s own.',
  },
  API_UNREACHABLE: {
    family: 'kubernetes',
    cause: 'The Kubernetes API does not answer.',
    hint: 'Run: npx zx bootstrap/status.mjs, and up again to repair.',
  },
  PROBE_FAILED: {
    family: 'kubernetes',
    cause: 'An add-on runs but does not do what it is for.',
    hint: 'Run: npx zx bootstrap/logs.mjs, and up again.',
  },
  PROBE_NOT_RUN: {
    family: 'kubernetes',
    cause: 'A probe could not be carried out, so it says nothing about the add-on.',
    hint: 'Read the reason; run the same command again.',
  },
  WAIT_TIMEOUT: {
    family: 'wait-timeout',
    cause: 'An object did not reach the awaited condition within its deadline.',
    hint: 'Read the last event and log lines above; raise --timeout if it was only slow.',
  },
  STEP_TIMEOUT: {
    family: 'wait-timeout',
    cause: 'A step did not finish within its deadline.',
    hint: 'Run the same command again, it resumes; raise --timeout if it was only slow.',
  },
  INTERRUPTED: {
    family: 'interrupted',
    cause: 'The user or the system asked the process to stop.',
    hint: 'Run the same command again to go on, or bootstrap/down to remove everything.',
  },
  LEFTOVERS: {
    family: 'command',
    cause: 'After down, something of ours is still on the machine.',
    hint: 'Run down once more; what stays is named above.',
  },
  INTERNAL: {
    family: 'internal',
    cause: 'A defect in local-cloud.',
    hint: 'Please report it with the stack trace.',
  },
} as const satisfies Record<string, CatalogueEntry>

export type ErrorCode = keyof typeof catalogue
