import { describe, expect, it } from 'vitest'
import { resolvePaths } from './paths.ts'

describe('resolvePaths', () => {
  it('keeps everything in the checkout by default', () => {
    expect(resolvePaths('/repo', {}, { LOCAL_CLOUD_STATE_DIR: '' }, '/home')).toEqual({
      repo: '/repo',
      stateDir: '/repo/.local-cloud',
      cacheDir: '/repo/.local-cloud/cache',
    })
  })

  it('prefers flags to the environment and takes relative paths from where the user is', () => {
    const env = { LOCAL_CLOUD_STATE_DIR: 'env-state', LOCAL_CLOUD_CACHE_DIR: '/env/cache' }
    expect(resolvePaths('/repo', {}, env, '/home')).toMatchObject({
      stateDir: '/home/env-state',
      cacheDir: '/env/cache',
    })
    expect(resolvePaths('/repo', { stateDir: 's', cacheDir: '../c' }, env, '/home')).toMatchObject({
      stateDir: '/home/s',
      cacheDir: '/c',
    })
  })

  it('keeps the cache in a chosen state directory', () => {
    expect(resolvePaths('/repo', { stateDir: '/s' }, {}, '/home').cacheDir).toBe('/s/cache')
  })

  it('keeps nothing in an installed package: the state is where the user is, the cache in the user’s', () => {
    expect(resolvePaths('/project/node_modules/p', {}, { XDG_CACHE_HOME: '/xdg' }, '/project', true)).toEqual(
      {
        repo: '/project/node_modules/p',
        stateDir: '/project/.local-cloud',
        cacheDir: '/xdg/local-cloud',
      },
    )
    expect(resolvePaths('/p', { cacheDir: 'c' }, {}, '/project', true).cacheDir).toBe('/project/c')
  })
})
