import { catalogue } from './catalogue.ts'
import { exitCodes, type ErrorFamily } from './local-cloud-error.ts'

const families: Record<ErrorFamily, string> = {
  usage: 'The command line is wrong; nothing was changed.',
  config: 'A file that configures local-cloud is wrong; nothing was changed.',
  manifest: 'A Kubernetes manifest is wrong; nothing was applied.',
  prerequisite: 'This machine lacks something that the command needs.',
  command: 'A program or a download failed.',
  kubernetes: 'The Kubernetes API refused, is away, or what runs there does not do what it is for.',
  'wait-timeout': 'Something took longer than it may.',
  interrupted: 'The command was asked to stop.',
  internal: 'A defect in local-cloud itself.',
}

/** docs/errors.md: every code of the catalogue by family, with exit code, cause and remedy; Markdown, not yet formatted. */
export function errorDocs(): string {
  const sections = Object.entries(families).map(([family, meaning]) => {
    const rows = Object.entries(catalogue)
      .filter(([, entry]) => entry.family === family)
      .map(([code, { cause, hint }]) => `| \`${code}\` | ${cell(cause)} | ${cell(hint)} |`)
    return [
      `## ${family}: exit code ${exitCodes[family as ErrorFamily]}`,
      '',
      meaning,
      '',
      '| code | when | what to do |',
      '| --- | --- | --- |',
      ...rows,
      '',
    ].join('\n')
  })
  return [
    '# Errors',
    '',
    'Generated from `bootstrap/errors/catalogue.ts` by `npm run docs:errors`. Codes are never renamed or reused. With `--json`',
    'the error is the last line, `{ "type": "error", "code": …, "exitCode": …, "message": …, "causes": […], "hint": …, "evidence": […] }`.',
    '',
    ...sections,
  ].join('\n')
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
