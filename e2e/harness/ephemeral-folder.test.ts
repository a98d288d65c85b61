import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../bootstrap/engine/testing/temporary-folder.ts'
import { madeLabel, ownerLabel, ownerOf, thisMachine } from '../../bootstrap/providers/k3s/ephemeral-owner.ts'
import { ownFolder, sweepFolders } from './ephemeral-folder.ts'

const made = new Date().toISOString()
const gone = `${String(thisMachine.boot())}/${String(thisMachine.namespace())}/${String(process.pid)}/1`

const folder = (root: string, name: string, owner?: string): string => {
  const at = path.join(root, name)
  mkdirSync(at)
  writeFileSync(path.join(at, 'kubeconfig'), 'secret')
  if (owner !== undefined)
    writeFileSync(path.join(at, 'owner.json'), JSON.stringify({ [ownerLabel]: owner, [madeLabel]: made }))
  return at
}

it('folders of processes that are gone are swept, those of others are not', async () => {
  const root = temporaryFolder()
  const left = folder(root, 'local-cloud-ephemeral-left', gone)
  const old = folder(root, 'local-cloud-ephemeral-old')
  utimesSync(old, new Date(), new Date(Date.now() - 7 * 3_600_000))
  const kept = [
    await ownFolder(undefined, root),
    await ownFolder('api', root),
    folder(root, 'local-cloud-ephemeral-living', ownerOf(process.pid)),
    folder(root, 'local-cloud-ephemeral-unclaimed'),
    folder(root, 'somebody-else', gone),
  ]
  expect((await sweepFolders(root)).sort()).toEqual([left, old].sort())
  expect(kept.map((one) => existsSync(one))).toEqual(kept.map(() => true))
  expect(readdirSync(root)).toHaveLength(kept.length)
})

it('a named folder is there once, empty and for this user only', async () => {
  const root = temporaryFolder()
  const first = await ownFolder('api', root)
  writeFileSync(path.join(first, 'podman.sock'), '')
  expect(await ownFolder('api', root)).toBe(first)
  expect(readdirSync(first)).toEqual(['owner.json'])
  expect(statSync(first).mode & 0o777).toBe(0o700)
})
