/** Which overlay of which system, and with which options. */
export interface SystemChoice {
  system: string
  environment: string
  /** Values of the system's options (system.yaml) that differ from the default. */
  choices: Readonly<Record<string, string>>
}

/** `slate (local)`, `slate (local, models real)`. */
export function systemWords({ system, environment, choices }: SystemChoice): string {
  return `${system} (${[environment, ...Object.entries(choices).map(([option, value]) => `${option} ${value}`)].join(', ')})`
}

/** `slate/local`, `slate/local and zones/local`. */
export const overlayWords = (choices: readonly SystemChoice[]): string =>
  choices.map(({ system, environment }) => `${system}/${environment}`).join(' and ')

/** The command that has the API server judge the overlay without running it. */
export function diffCommand({ system, environment }: SystemChoice): string {
  return `npm run slate:diff --${system === 'slate' ? '' : ` --system ${system}`} --overlay ${environment}`
}
