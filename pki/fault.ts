/** What an error of an AWS SDK says of itself. */
export interface Fault {
  readonly name: string
  /** Of the network, like `ECONNRESET`; empty without one. */
  readonly code: string
  /** `client`, `server` or empty. */
  readonly fault: string
  /** HTTP status, 0 without an answer. */
  readonly status: number
  readonly requestId: string
}

/** Codes of a connection that could not be made or kept. */
export const NETWORK: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** Read without `instanceof`: several copies of the SDK are installed. */
export function told(error: unknown): Fault {
  const about: { name?: unknown; code?: unknown; $fault?: unknown; $metadata?: unknown } =
    typeof error === 'object' && error !== null ? error : {}
  const metadata: { httpStatusCode?: unknown; requestId?: unknown } =
    typeof about.$metadata === 'object' && about.$metadata !== null ? about.$metadata : {}
  const text = (value: unknown, otherwise = '') => (typeof value === 'string' ? value : otherwise)
  return {
    name: text(about.name, 'Error'),
    code: text(about.code),
    fault: text(about.$fault),
    status: typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : 0,
    requestId: text(metadata.requestId),
  }
}
