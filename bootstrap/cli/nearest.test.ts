import { describe, expect, it } from 'vitest'
import { editDistance, nearest } from './nearest.mjs'

describe('editDistance', () => {
  it.each([
    ['nodes', 'nodes', 0],
    ['nodez', 'nodes', 1],
    ['node', 'nodes', 1],
    ['dokcer', 'docker', 1],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
  ])('%s to %s is %i', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance)
    expect(editDistance(b, a)).toBe(distance)
  })
})

describe('nearest', () => {
  const known = ['name', 'nodes', 'engine', 'images', 'kubernetes-version', 'merge-kubeconfig']

  it('finds what was mistyped', () => {
    expect(nearest('nodez', known)).toBe('nodes')
    expect(nearest('ENGINE', known)).toBe('engine')
    expect(nearest('kubernetes_version', known)).toBe('kubernetes-version')
  })

  it('finds a unique beginning', () => {
    expect(nearest('kube', known)).toBe('kubernetes-version')
  })

  it('finds nothing when nothing is near', () => {
    expect(nearest('frobnicate', known)).toBeUndefined()
    expect(nearest('', known)).toBeUndefined()
    expect(nearest('x', known)).toBeUndefined()
  })
})
