import type { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Event } from './events.ts'

/** Shows what happens, one way each. Everything it is given is free of secrets already. */
export interface Reporter {
  emit(event: Event): void
  /** The error that ends the command. */
  fail(error: LocalCloudError): void
  /** Ends timers and restores the terminal; may be called twice. */
  close(): void
}

/** Where a reporter writes; `process.stderr` or `process.stdout`, a collector in tests. */
export interface Output {
  write(text: string): unknown
}
