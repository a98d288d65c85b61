// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.
import { readFileSync, rmSync } from 'node:fs'

/**
 * @typedef {object} VitestResults
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {{ status: string, assertionResults: unknown[] }[]} testResults
 */

/**
 * What vitest counted in its JSON report, which is removed; one failure when it did not get as far as that.
 * @param {string} resultsFile
 */
export function testCounts(resultsFile) {
  try {
    const results = /** @type {VitestResults} */ (JSON.parse(readFileSync(resultsFile, 'utf8')))
    // A file that could not be loaded has no tests to count, and is a failure all the same.
    const unloaded = results.testResults.filter(
      ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
    )
    return { passed: results.numPassedTests, failed: results.numFailedTests + unloaded.length }
  } catch {
    return { passed: 0, failed: 1 }
  } finally {
    rmSync(resultsFile, { force: true })
  }
}
