import { expect, it } from 'vitest'
import { k3sArguments } from './k3s-arguments.ts'

it('gives the server the addresses of kind, and leaves network and add-ons to ours', () => {
  const server = k3sArguments({ nodes: 1 }, 0, 'c-control-plane')
  expect(server[0]).toBe('server')
  expect(server).toEqual(
    expect.arrayContaining([
      '--cluster-cidr=10.244.0.0/16',
      '--service-cidr=10.96.0.0/16',
      '--flannel-backend=none',
      '--disable-network-policy',
      '--disable-kube-proxy',
      '--node-label=ingress-ready=true',
    ]),
  )
  expect(server.filter((argument) => argument.startsWith('--node-taint'))).toEqual([])
})

it('keeps ordinary pods off the control plane when there are other nodes', () => {
  expect(k3sArguments({ nodes: 2 }, 0, 'c-control-plane')).toContain(
    '--node-taint=node-role.kubernetes.io/control-plane=:NoSchedule',
  )
})

it('has an agent join the server, and names no token', () => {
  const agent = k3sArguments({ nodes: 3 }, 2, 'c-control-plane')
  expect(agent).toEqual([
    'agent',
    '--server=https://c-control-plane:6443',
    // Without it pods of agents ask k3s's own address for names, where nobody is.
    '--kubelet-arg=cluster-dns=10.96.0.10',
  ])
})

it('keeps the network that k3s brings when it is asked for', () => {
  const server = k3sArguments({ nodes: 1, network: 'basic' }, 0, 'c-control-plane')
  expect(server.filter((argument) => /flannel|kube-proxy/.test(argument))).toEqual([])
  expect(server).toContain('--disable-network-policy')
})
