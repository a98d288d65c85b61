// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Who holds a lock.
 * @typedef {object} Holder
 * @property {number} pid
 * @property {string} life what tells this process from a later one with the same pid; empty where the system does not say
 * @property {string} since ISO 8601
 * @property {string} command
 */

/** @param {unknown} error @param {...string} codes */
const hasCode = (error, ...codes) => codes.includes(String(/** @type {NodeJS.ErrnoException} */ (error).code))

/**
 * The boot id and the start time of a process in clock ticks since boot (proc_pid_stat(5), field 22), or undefined when
 * there is no such process or it is a zombie. Without /proc: empty for every process that can be signalled.
 * @param {number} pid
 */
export function lifeOf(pid) {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    // The command in field 2 may hold blanks and parentheses; what follows the last one is field 3.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19] ?? ''}`
  } catch {
    if (process.platform === 'linux') return undefined
  }
  try {
    process.kill(pid, 0)
    return ''
  } catch (error) {
    return hasCode(error, 'EPERM') ? '' : undefined
  }
}

/** @param {Holder} holder */
const alive = (holder) => lifeOf(holder.pid) === holder.life

/**
 * Takes the lock or says who has it.
 *
 * The lock is a folder in which every contender puts a file of its own, complete from its first moment on, and then looks
 * for files of other living processes: if there is one, it takes its own away again. Of two that come at once at least
 * one sees the other, so never two hold it; a file of a dead process counts for nothing and is removed, which cannot hit
 * a living one because no two files have the same name.
 * @param {string} folder
 * @param {string} command what the holder is doing, for those who wait
 * @returns {{ release: () => void } | { holder: Holder }}
 */
export function tryLock(folder, command) {
  const before = livingHolder(folder, '')
  if (before) return { holder: before }
  const name = `${String(process.pid)}-${randomBytes(6).toString('hex')}.json`
  const mine = { pid: process.pid, life: lifeOf(process.pid) ?? '', since: new Date().toISOString(), command }
  writeWhole(folder, name, `${JSON.stringify(mine)}\n`)
  const release = () => {
    rmSync(path.join(folder, name), { force: true })
    removeIfEmpty(folder)
  }
  const other = livingHolder(folder, name)
  if (!other) return { release }
  release()
  return { holder: other }
}

/**
 * Takes the lock, waiting for as long as a living process has it.
 * @param {string} folder
 * @param {object} options
 * @param {string} options.command
 * @param {AbortSignal} [options.signal] ends the wait: the promise rejects with an AbortError
 * @param {(holder: Holder) => void} [options.onWait] called once for every holder that is waited for
 * @returns {Promise<() => void>} releases the lock
 */
export async function waitForLock(folder, { command, signal, onWait }) {
  let told = ''
  for (;;) {
    const attempt = tryLock(folder, command)
    if ('release' in attempt) return attempt.release
    const { holder } = attempt
    const id = `${String(holder.pid)} ${holder.since}`
    if (id !== told) onWait?.(holder)
    told = id
    // Uneven, so that two that withdrew in favour of each other do not meet again.
    await delay(50 + Math.random() * 100, undefined, signal ? { signal } : {})
  }
}

/** @param {string} folder @param {string} except @returns {Holder | undefined} */
function livingHolder(folder, except) {
  for (const name of namesIn(folder)) {
    if (name === except) continue
    const file = path.join(folder, name)
    if (name.startsWith('.')) {
      // Half-written; nobody will finish it when its process is gone.
      if (lifeOf(Number.parseInt(name.slice(1), 10)) === undefined) rmSync(file, { force: true })
      continue
    }
    const holder = readHolder(file)
    if (holder && alive(holder)) return holder
    rmSync(file, { force: true })
  }
  return undefined
}

/** @param {string} folder */
function namesIn(folder) {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return []
    throw error
  }
}

/** @param {string} file @returns {Holder | undefined} */
function readHolder(file) {
  try {
    const text = readFileSync(file, 'utf8')
    const { pid, life, since, command } = /** @type {Holder} */ (JSON.parse(text))
    return { pid, life, since, command }
  } catch (error) {
    if (error instanceof SyntaxError || hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** @param {string} folder @param {string} name @param {string} text */
function writeWhole(folder, name, text) {
  for (;;) {
    try {
      mkdirSync(folder, { recursive: true })
      writeFileSync(path.join(folder, `.${name}`), text)
      renameSync(path.join(folder, `.${name}`), path.join(folder, name))
      return
    } catch (error) {
      // The last holder removes the empty folder; it may do so between our two calls.
      if (hasCode(error, 'ENOENT')) continue
      rmSync(path.join(folder, `.${name}`), { force: true })
      removeIfEmpty(folder)
      throw error
    }
  }
}

/** @param {string} folder */
function removeIfEmpty(folder) {
  try {
    rmdirSync(folder)
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY')) throw error
  }
}
