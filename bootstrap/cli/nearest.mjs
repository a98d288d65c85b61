// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.
/**
 * Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours.
 * @param {string} a @param {string} b
 */
export function editDistance(a, b) {
  const rows = [Array.from({ length: b.length + 1 }, (_unused, column) => column)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      row[j] = Math.min(
        (rows[i - 1]?.[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (rows[i - 1]?.[j - 1] ?? 0) + cost,
      )
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j] ?? 0, (rows[i - 2]?.[j - 2] ?? 0) + 1)
      }
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] ?? 0
}

/**
 * The known word that a mistyped one most likely means, or undefined when none is near: a distance of at most a third of
 * the word's length (at least 2), or a unique beginning.
 * @param {string} word @param {readonly string[]} known @returns {string | undefined}
 */
export function nearest(word, known) {
  const [best] = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate) }))
    .sort((a, b) => a.distance - b.distance)
  if (best && best.distance <= Math.max(2, Math.floor(word.length / 3)) && best.distance < word.length)
    return best.candidate
  const starting = word === '' ? [] : known.filter((candidate) => candidate.startsWith(word.toLowerCase()))
  return starting.length === 1 ? starting[0] : undefined
}
