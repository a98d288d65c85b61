/** One thing that is asked for and not there, as a row of a table. */
export interface Shortage {
  /** Who asks: `Deployment slate/ollama`, or `all pods together`. */
  who: string
  asks: string
  has: string
}

/** The rows with their columns below each other. */
export function shortageLines(rows: readonly Shortage[]): string[] {
  const width = (column: 'who' | 'asks'): number => Math.max(...rows.map((row) => row[column].length))
  return rows.map(({ who, asks, has }) =>
    `${who.padEnd(width('who'))}  ${asks.padEnd(width('asks'))}  ${has}`.trimEnd(),
  )
}
