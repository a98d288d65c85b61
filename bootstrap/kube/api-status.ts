import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { redact } from '../process/redact.ts'

/** What the API server says about a refused request: the parts of its `Status` object that are used. */
export interface ApiStatus {
  /** HTTP status code. */
  code: number
  /** The server's word for it, such as NotFound, Conflict or Invalid. */
  reason: string
  message: string
  causes: { field: string; message: string }[]
  /** Seconds after which the server wants to be asked again. */
  retryAfterSeconds?: number
}

interface StatusBody {
  kind?: string
  reason?: string
  message?: string
  details?: { causes?: { field?: string; message?: string; reason?: string }[]; retryAfterSeconds?: number }
}

/** Reads the body of a response whose HTTP status is not 2xx; a body that is no `Status` is quoted. */
export function apiStatus(code: number, body: string, retryAfter?: string): ApiStatus {
  const parsed = parseStatus(body)
  const seconds = Number(retryAfter ?? parsed.details?.retryAfterSeconds)
  return {
    code,
    reason: parsed.reason ?? '',
    message: redact(parsed.message ?? (body.trim().slice(0, 300) || 'no reason given')),
    causes: (parsed.details?.causes ?? []).map((cause) => ({
      field: cause.field ?? '',
      message: redact(cause.message ?? cause.reason ?? ''),
    })),
    ...(Number.isFinite(seconds) && seconds > 0 ? { retryAfterSeconds: seconds } : {}),
  }
}

function parseStatus(body: string): StatusBody {
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value === 'object' && value !== null && (value as StatusBody).kind === 'Status') return value
  } catch {
    // Proxies and half-started servers answer with text.
  }
  return {}
}

/**
 * Refusals that pass by themselves on a cluster that is coming up: admission that is not ready, the service account that
 * the controller-manager has yet to make in a new namespace, a quota not counted yet, a webhook without endpoints, etcd
 * between two leaders.
 */
const passing: readonly [number, RegExp][] = [
  [403, /not yet ready to handle request|error looking up service account|status unknown for quota/],
  [500, /etcdserver: (leader changed|request timed out|too many requests)|failed calling webhook/],
]

/** Whether the same request may succeed a moment later. A conflict is one of two writers; it passes for a patch only. */
export function isTransient(status: ApiStatus, method: string): boolean {
  if (status.code === 429 || status.code === 502 || status.code === 503 || status.code === 504) return true
  if (status.code === 409) return method === 'PATCH' && /^(Conflict|AlreadyExists)$/.test(status.reason)
  return passing.some(([code, words]) => status.code === code && words.test(status.message))
}

/**
 * Whether the server refused what was written, not the right or the moment to write it. Server-side apply answers
 * unknown fields and wrong types with status 500 and this message.
 */
export function isInvalidManifest(status: ApiStatus): boolean {
  return (
    status.code === 422 ||
    status.code === 400 ||
    (status.code === 500 && status.message.includes('failed to create typed patch object'))
  )
}

/** The error for a refused request; `what` says what was asked, such as `PATCH Deployment slate/core`. */
export function refused(what: string, status: ApiStatus): LocalCloudError {
  return new LocalCloudError('API_REFUSED', {
    message: `The Kubernetes API refused ${what}: ${status.message} (HTTP ${String(status.code)}${status.reason === '' ? '' : `, ${status.reason}`})`,
    evidence: status.causes.map((cause) => `${cause.field}: ${cause.message}`),
    cause: status,
  })
}

/** What the server said, when `error` is a refusal. */
export function statusOf(error: unknown): ApiStatus | undefined {
  if (!(error instanceof LocalCloudError) || error.code !== 'API_REFUSED') return undefined
  return error.cause as ApiStatus
}
