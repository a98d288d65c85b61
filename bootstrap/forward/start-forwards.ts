import { createServer, type Server, type Socket } from 'node:net'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import type { ConnectedKube, KubeObject } from '../kube/client.ts'
import { pause } from '../kube/pause.ts'
import { choosePorts } from './choose-ports.ts'
import type { Forward, ForwardEvent } from './events.ts'
import { createRoute, type Route } from './route.ts'
import { serve } from './serve.ts'
import { targetsOf, type ServicePort } from './targets.ts'

export interface ForwardOptions {
  kube: Pick<ConnectedKube, 'waitForList' | 'portForward'>
  /** Services to forward, each with its first port. */
  services: readonly KubeObject[]
  /** Ports of this machine that were asked for, by the Service's name. */
  ports: Readonly<Record<string, number>>
  /** Address of this machine to listen on. */
  address: string
  /** How long a connection waits for a pod that lets it in, milliseconds. */
  waitMs: number
  /** Silence of a pod after which a connection is closed whose client has ended its side, milliseconds; default 5 s. */
  lingerMs?: number
  emit: (event: ForwardEvent) => void
  signal: AbortSignal
}

export interface Forwards extends AsyncDisposable {
  forwards: Forward[]
}

/** Milliseconds after which the API is asked again when it refused to tell which pods are ready. */
const askAgainMs = 1_000
/** How long a watch may last, milliseconds; the longest that a timer takes. */
const longestMs = 2 ** 31 - 1

/**
 * Listens on a port of this machine for each Service and leads every connection into a ready pod of it, until the signal aborts or
 * it is disposed of. Pods may come and go meanwhile. Returns when all ports listen.
 * @throws LocalCloudError PORT_TAKEN or BAD_VALUE before anything listens
 */
export async function startForwards(options: ForwardOptions): Promise<Forwards> {
  const { kube, services, ports, address, waitMs, lingerMs = 5_000, emit } = options
  const wished = services.flatMap((service) => wishOf(service, ports))
  const chosen = await choosePorts(
    wished.map(({ wish }) => wish),
    address,
  )
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const sockets = new Set<Socket>()
  const lines = wished.map(({ wish, port }, index) => {
    const { localPort = wish.port, note } = chosen[index] ?? {}
    const route = createRoute((from, to) => {
      emit({
        type: 'moved',
        service: wish.service,
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
      })
    })
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      serve(socket, { kube, namespace: port.namespace, route, waitMs, lingerMs, signal }).then(
        (reason) => {
          if (reason !== undefined) emit({ type: 'closed', service: wish.service, reason })
        },
        (error: unknown) => {
          emit({ type: 'closed', service: wish.service, reason: toLocalCloudError(error).message })
        },
      )
    })
    const host = address.includes(':') ? `[${address}]` : address
    const forward: Forward = {
      namespace: port.namespace,
      service: wish.service,
      port: wish.port,
      address,
      localPort,
      url: `http://${host}:${String(localPort)}`,
      ...(note === undefined ? {} : { note }),
    }
    return { forward, port, route, server }
  })

  const close = async (): Promise<void> => {
    stop.abort(new LocalCloudError('INTERRUPTED', { message: 'The forwards are closed.' }))
    for (const socket of sockets) socket.destroy()
    await Promise.all(lines.map(({ server }) => closed(server)))
  }
  try {
    for (const { forward, server } of lines) await listening(server, forward)
  } catch (error) {
    await close()
    throw error
  }
  const watching = [...new Set(lines.map(({ port }) => port.namespace))].map((namespace) =>
    watch({ kube, namespace, signal, emit, lines: lines.filter(({ port }) => port.namespace === namespace) }),
  )
  options.signal.addEventListener('abort', () => void close(), { once: true })
  return {
    forwards: lines.map(({ forward }) => forward),
    async [Symbol.asyncDispose]() {
      await close()
      await Promise.all(watching)
    },
  }
}

function wishOf(
  service: KubeObject,
  ports: Readonly<Record<string, number>>,
): { wish: { service: string; port: number; local?: number }; port: ServicePort }[] {
  const { name, namespace = 'default' } = service.metadata
  const [first] = (service['spec'] as { ports?: { name?: string; port: number }[] } | undefined)?.ports ?? []
  if (!first) return []
  const local = ports[name]
  return [
    {
      wish: { service: name, port: first.port, ...(local === undefined ? {} : { local }) },
      port: { namespace, service: name, portName: first.name ?? '' },
    },
  ]
}

/** Follows the endpoint slices of a namespace and tells the routes which pods are ready, until the signal aborts. */
async function watch(options: {
  kube: Pick<ConnectedKube, 'waitForList'>
  namespace: string
  lines: readonly { port: ServicePort; route: Route }[]
  emit: (event: ForwardEvent) => void
  signal: AbortSignal
}): Promise<void> {
  const { kube, namespace, lines, emit, signal } = options
  const query = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace }
  while (!signal.aborted) {
    try {
      await kube.waitForList(
        query,
        (slices) => {
          for (const { port, route } of lines) route.update(targetsOf(slices, port))
          // The watch goes on for as long as anybody wants to know.
          return { met: false, seen: '' }
        },
        { timeoutMs: longestMs, signal },
      )
    } catch (error) {
      if (isAborted(signal)) return
      emit({ type: 'trouble', message: toLocalCloudError(error).message })
      await pause(askAgainMs, signal).catch(() => undefined)
    }
  }
}

/** A call, because an abort in between is invisible to the type checker. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted

function listening(server: Server, { address, localPort, service }: Forward): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new LocalCloudError('PORT_TAKEN', {
              message: `Port ${String(localPort)} on ${address} for ${service} has been taken this moment.`,
              hint: 'Run the same command again.',
              cause: error,
            })
          : new LocalCloudError('NO_PERMISSION', {
              message: `Port ${String(localPort)} on ${address} for ${service} cannot be listened on: ${error.message}.`,
              hint: `Pass --port ${service}=PORT with one above 1023.`,
              cause: error,
            }),
      )
    })
    server.listen({ port: localPort, host: address, exclusive: true }, () => {
      resolve()
    })
  })
}

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => {
      resolve()
    })
  })
