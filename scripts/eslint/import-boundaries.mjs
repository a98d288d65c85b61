import path from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Contracts that every layer may import for their types. */
const contracts = ['bootstrap/report/events.ts', 'bootstrap/steps/step.ts', 'bootstrap/plan/options.ts']

/**
 * What each folder of bootstrap/ may import besides itself, errors/ and the contracts; one direction only: entry scripts →
 * cli → steps → world → errors, where `world` stands for every folder that is not named: engine, providers, images, kube, …
 * @type {Record<string, readonly string[]>}
 */
const allowed = {
  errors: [],
  plan: [],
  process: [],
  report: ['process'],
  world: ['world', 'process', 'plan'],
  steps: ['world', 'process', 'plan'],
  cli: ['world', 'process', 'plan', 'steps', 'report', 'self-setup.mjs'],
  'self-setup.mjs': [],
}

/** @param {string} folder */
const layerOf = (folder) => (Object.hasOwn(allowed, folder) ? folder : 'world')

/** Plain JavaScript that works before the dependencies are installed. */
const selfSetupImports = ['bootstrap/state/lock-folder.mjs', 'bootstrap/report/format-problem.mjs']

/**
 * Why `file` must not import `target` (both relative to the repository, with forward slashes), or undefined when it may.
 * @param {string} file @param {string} target
 */
export function forbiddenImport(file, target) {
  if (!file.startsWith('bootstrap/')) return undefined
  const [, from = ''] = file.split('/')
  const [root, to = ''] = target.split('/')
  if (root !== 'bootstrap') {
    return ['images', 'package.json'].includes(root ?? '') || target.startsWith('fixtures/gpu/')
      ? undefined
      : `bootstrap must not import ${root ?? ''}`
  }
  if (from === 'self-setup.mjs')
    return selfSetupImports.includes(target) ? undefined : 'self-setup.mjs stands alone'
  if (from.endsWith('.mjs')) return to === 'cli' ? undefined : 'entry scripts import cli only'
  if (file === 'bootstrap/report/events.ts' && to !== 'errors') return 'report/events imports errors only'
  if (from === to || contracts.includes(target)) {
    return from === 'errors' && to !== 'errors' ? 'errors imports nothing above it' : undefined
  }
  if (to === 'errors' && from !== 'errors') return undefined
  return allowed[layerOf(from)]?.includes(layerOf(to))
    ? undefined
    : `bootstrap/${from} must not import bootstrap/${to}`
}

/**
 * Reports imports against the direction of dependencies, and the Kubernetes client anywhere but in bootstrap/kube or not
 * lazily: it costs half a second to load.
 * @type {import('eslint').Rule.RuleModule}
 */
export const importBoundaries = {
  meta: { type: 'problem', schema: [], messages: { forbidden: '{{ reason }}' } },
  create(context) {
    const file = path.relative(repository, context.filename).replaceAll(path.sep, '/')
    /** @param {import('estree').Node} node @param {unknown} source @param {boolean} eager */
    const check = (node, source, eager) => {
      if (typeof source !== 'string') return
      const reason = source.startsWith('.')
        ? forbiddenImport(file, path.posix.join(path.posix.dirname(file), source))
        : source.startsWith('@kubernetes/client-node')
          ? kubernetesClient(file, eager)
          : undefined
      if (reason !== undefined) context.report({ node, messageId: 'forbidden', data: { reason } })
    }
    return {
      ImportDeclaration(node) {
        check(node, node.source.value, /** @type {{ importKind?: string }} */ (node).importKind !== 'type')
      },
      ExportNamedDeclaration(node) {
        check(node, node.source?.value, true)
      },
      ExportAllDeclaration(node) {
        check(node, node.source.value, true)
      },
      ImportExpression(node) {
        check(node, node.source.type === 'Literal' ? node.source.value : undefined, false)
      },
    }
  },
}

/** @param {string} file @param {boolean} eager */
function kubernetesClient(file, eager) {
  if (!file.startsWith('bootstrap/kube/')) return '@kubernetes/client-node is imported in bootstrap/kube only'
  return eager ? '@kubernetes/client-node is imported lazily: await import(…) or import type' : undefined
}
