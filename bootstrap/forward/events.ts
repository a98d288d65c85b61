/** A port of this machine that leads to a Service. */
export interface Forward {
  namespace: string
  service: string
  /** Port of the Service. */
  port: number
  address: string
  localPort: number
  url: string
  /** Why it is not the Service's own port; absent when it is. */
  note?: string
}

/** What happens to forwards while they stand. */
export type ForwardEvent =
  /** Connections go to another pod from now on; `to` is absent while none is ready, `from` when the first one became ready. */
  | { type: 'moved'; service: string; from?: string; to?: string }
  /** A connection from this machine was closed without having been served, or was cut. */
  | { type: 'closed'; service: string; reason: string }
  /** The API could not be asked which pods are ready; it is asked again. */
  | { type: 'trouble'; message: string }
