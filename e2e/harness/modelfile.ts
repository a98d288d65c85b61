/** What a Modelfile of Ollama says, as far as SLATE's do. */
export interface Modelfile {
  from: string
  /** Parameter → value, as it is written. */
  parameters: Record<string, string>
  system: string
}

/** Reads FROM, PARAMETER and SYSTEM. @throws Error for a line that is none of them */
export function readModelfile(text: string): Modelfile {
  const modelfile: Modelfile = { from: '', parameters: {}, system: '' }
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const [, instruction, rest = ''] = /^(FROM|PARAMETER|SYSTEM)\s+(.*)$/.exec(line) ?? []
    if (instruction === 'FROM') modelfile.from = rest
    else if (instruction === 'SYSTEM') modelfile.system = rest.replace(/^"(.*)"$/, '$1')
    else if (instruction === 'PARAMETER') Object.assign(modelfile.parameters, parameter(rest))
    else throw new Error(`This is no line of a Modelfile of SLATE: ${line}`)
  }
  return modelfile
}

/** The parameters that Ollama shows of a model: one in a line, name and value apart by blanks; of several of a name the last one. */
export const readParameters = (shown: string): Record<string, string> =>
  Object.fromEntries(shown.split('\n').flatMap((line) => Object.entries(parameter(line))))

/** In what Ollama's answer to `/api/show` is not what the Modelfile says, one sentence each, and what it is, in words. */
export function modelDifferences(
  { from, parameters, system }: Modelfile,
  shown: { parameters?: string; system?: string; details?: { parent_model?: string } },
): { differences: string[]; seen: string } {
  const parent = (shown.details?.parent_model ?? '').replace(/:latest$/, '')
  const seen = readParameters(shown.parameters ?? '')
  const compared: [string, string | undefined, string][] = [
    ['base', parent, from],
    ['system text', shown.system, system],
    ...Object.entries(parameters).map(([name, value]): [string, string | undefined, string] => [
      name,
      seen[name],
      value,
    ]),
  ]
  return {
    differences: compared.flatMap(([what, is, wanted]) =>
      is === wanted ? [] : [`${what} is ${is ?? 'missing'}, not ${wanted}`],
    ),
    seen: [`from ${parent}`, ...Object.entries(seen).map((entry) => entry.join(' '))].join(', '),
  }
}

function parameter(line: string): Record<string, string> {
  const [, name, value] = /^(\S+)\s+(.*)$/.exec(line.trim()) ?? []
  return name === undefined || value === undefined ? {} : { [name]: value }
}
