// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import path from 'node:path'
import { defaultGpuCount, mostGpus } from '../plan/gpu-limits.mjs'

/** @typedef {import('./commands.mjs').Reader} Reader */
/** @typedef {import('./commands.mjs').ReadContext} ReadContext */

/** @param {readonly string[]} words */
export const listed = (words) =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`

/** @param {readonly string[]} words @returns {Reader} */
export const oneOf = (words) => (text) => {
  if (!words.includes(text)) throw new Error(`must be ${listed(words)}`)
  return text
}

/** @param {number} low @param {number} high @returns {Reader} */
export const integer = (low, high) => (text) => {
  const number = /^\d+$/.test(text) ? Number(text) : NaN
  if (!(number >= low && number <= high)) {
    throw new Error(`must be a whole number from ${String(low)} to ${String(high)}`)
  }
  return number
}

/** @type {Reader} */
export const clusterName = (text) => {
  if (text.length > 32 || !/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text)) {
    throw new Error('must be 1 to 32 lower-case letters, digits and inner hyphens (RFC 1123)')
  }
  return text
}

/** @type {Reader} */
export const duration = (text) => {
  const [, hours = 0, minutes = 0, seconds = 0] = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text) ?? []
  const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000
  if (ms < 1000 || ms > 24 * 3_600_000)
    throw new Error('must be a time from 1s to 24h, such as 90s, 20m or 1h30m')
  return ms
}

/** @type {Reader} */
export const existingFile = (text, { cwd }) => {
  const file = path.resolve(cwd, text)
  if (!existsSync(file)) throw new Error(`there is no file ${file}`)
  if (!statSync(file).isFile()) throw new Error(`${file} is not a file`)
  return file
}

/** @type {Reader} */
export const location = (text, { cwd }) => {
  if (text === '') throw new Error('must be a path')
  return path.resolve(cwd, text)
}

/** @type {Reader} */
export const address = (text) => {
  if (isIP(text) === 0) throw new Error('must be an IP address of this machine, such as 127.0.0.1 or 0.0.0.0')
  return text
}

/** @type {Reader} */
export const httpUrl = (text) => {
  if (!/^https?:/.test(text) || !URL.canParse(text))
    throw new Error('must be a URL such as http://192.0.2.7 or https://ingress.example')
  return text.replace(/\/+$/, '')
}

/** @type {Reader} */
export const contextName = (text) => {
  if (text === '') throw new Error('must be the name of a context, as kubectl config get-contexts lists them')
  return text
}

/** @type {Reader} */
export const kubernetesVersion = (text) => {
  const match = /^v?(\d+\.\d+\.\d+)$/.exec(text)
  if (!match) throw new Error('must be a full version such as 1.35.0')
  return match[1]
}

/** @type {Reader} */
export const mount = (text, { cwd }) => {
  const match = /^([^:]+):(\/[^:]*?)(?::(ro|rw))?$/.exec(text)
  if (!match) throw new Error('must be HOST:NODE or HOST:NODE:ro with an absolute path in the node')
  const [, host = '', containerPath = '', mode] = match
  const hostPath = path.resolve(cwd, host)
  if (!existsSync(hostPath)) throw new Error(`there is no ${hostPath} on this machine`)
  return { hostPath, containerPath, readOnly: mode === 'ro' }
}

/** @type {Reader} */
export const addonList = (text) => {
  if (text === 'all') return text
  const names = text === 'none' ? [] : text.split(',')
  if (names.some((name) => !/^[a-z0-9-]+$/.test(name)))
    throw new Error('must be all, none, or names of add-ons with commas between them')
  return names
}

export const imageKinds = ['auto', 'registry', 'packages']

/** @type {Reader} */
export const images = (text, context) => {
  if (imageKinds.includes(text)) return { kind: text }
  if (!text.startsWith('bundle:')) throw new Error(`must be ${listed([...imageKinds, 'bundle:FILE'])}`)
  return { kind: 'bundle', file: existingFile(text.slice('bundle:'.length), context) }
}

/** @param {string} directory */
export const foldersIn = (directory) =>
  existsSync(directory)
    ? readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? [entry.name] : [],
      )
    : []

/** @param {ReadContext} context */
export const systems = (context) => [...foldersIn(path.join(context.repository, 'overlays')).sort(), 'none']

/** @type {Reader} */
export const system = (text, context) => {
  const known = systems(context)
  const names = text.split(',')
  if (!names.every((name) => known.includes(name))) throw new Error(`must be ${listed(known)}`)
  if (names.length > 1 && (names.includes('none') || new Set(names).size < names.length))
    throw new Error('must name each system once, and none alone')
  return text
}

/** @type {Reader} */
export const gpu = (text) => {
  if (text === 'auto' || text === 'real') return { tier: text, count: defaultGpuCount }
  const [, given = String(defaultGpuCount)] = /^mock(?::(\d+))?$/.exec(text) ?? [undefined, '0']
  const count = Number(given)
  if (count < 1 || count > mostGpus)
    throw new Error(`must be auto, real, mock or mock:N with N from 1 to ${String(mostGpus)}`)
  return { tier: 'mock', count }
}

/** @type {Reader} */
export const gpuVendor = (text) => {
  if (text === 'nvidia') return text
  if (text === 'amd')
    throw new Error(
      'is not supported yet: it takes a ROCm device plugin and an amd.com/gpu mock beside those of NVIDIA',
    )
  throw new Error('must be nvidia')
}
