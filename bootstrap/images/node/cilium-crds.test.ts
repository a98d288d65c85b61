import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import { expect, it, onTestFinished } from 'vitest'
import { ciliumCrds } from './cilium-crds.ts'

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'ciliumendpoints.cilium.io' },
  spec: {
    versions: [
      {
        name: 'v2',
        schema: {
          openAPIV3Schema: {
            description: 'Told at length.',
            properties: {
              description: { type: 'string' },
              status: { description: 'Told at length.', properties: { state: { type: 'string' } } },
            },
          },
        },
        subresources: { status: {} },
      },
    ],
  },
  status: { acceptedNames: { kind: '' } },
}

it('leaves out descriptions and the definition’s own status, and nothing of what is defined', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cilium-crds-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true })
  })
  const source = join(folder, 'source')
  for (const version of ['v2', 'v2alpha1'])
    mkdirSync(join(source, 'client', 'crds', version), { recursive: true })
  writeFileSync(join(source, 'register.go'), 'const CustomResourceDefinitionSchemaVersion = "1.32.6"\n')
  writeFileSync(join(source, 'client', 'crds', 'v2', 'ciliumendpoints.yaml'), `---\n${stringify(definition)}`)
  const archive = join(folder, 'crds.tar')
  execFileSync('tar', ['-cf', archive, '-C', source, '.'])
  const work = join(folder, 'work')
  mkdirSync(work)
  const [made] = parseAllDocuments(await ciliumCrds(archive, work, AbortSignal.timeout(10_000)))
  expect(made?.toJS()).toEqual({
    ...definition,
    metadata: { ...definition.metadata, labels: { 'io.cilium.k8s.crd.schema.version': '1.32.6' } },
    spec: {
      versions: [
        {
          name: 'v2',
          schema: {
            openAPIV3Schema: {
              properties: {
                description: { type: 'string' },
                status: { properties: { state: { type: 'string' } } },
              },
            },
          },
          subresources: { status: {} },
        },
      ],
    },
    status: undefined,
  })
})
