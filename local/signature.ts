import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** What the `Authorization` header of a SigV4 request says before anything is verified. */
export interface Scope {
  readonly accessKeyId: string
  /** `YYYYMMDD`. */
  readonly date: string
  readonly region: string
  readonly service: string
  readonly signedHeaders: readonly string[]
  /** Lower-case hex. */
  readonly signature: string
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/

/** Reads the header; `undefined` when there is none or it has another form. */
export function scope(authorization: string | undefined): Scope | undefined {
  const match = AUTHORIZATION.exec(authorization ?? '')
  if (match === null) return undefined
  const [, accessKeyId = '', date = '', region = '', service = '', headers = '', signature = ''] =
    match
  return { accessKeyId, date, region, service, signedHeaders: headers.split(';'), signature }
}

/**
 * Verifies the signature of a request (AWS General Reference, "Signature Version 4 signing process").
 * The time is not compared with a clock here.
 */
export function verify(
  request: {
    readonly method: string
    /** Path and query as they came. */
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: Buffer
  },
  scope: Scope,
  secretAccessKey: string,
): boolean {
  const [path = '/', query = ''] = request.url.split('?', 2)
  const canonical = [
    request.method,
    path.split('/').map(encodeAgain).join('/'),
    query.split('&').filter(Boolean).map(normalise).sort().join('&'),
    ...scope.signedHeaders.map(
      (name) => `${name}:${(request.headers[name] ?? '').trim().replace(/ +/g, ' ')}`,
    ),
    '',
    scope.signedHeaders.join(';'),
    request.headers['x-amz-content-sha256'] ?? hash(request.body),
  ].join('\n')
  const credential = `${scope.date}/${scope.region}/${scope.service}/aws4_request`
  const text = [
    'AWS4-HMAC-SHA256',
    request.headers['x-amz-date'] ?? '',
    credential,
    hash(canonical),
  ].join('\n')
  const key = ['aws4_request', scope.service, scope.region, scope.date].reduceRight<Buffer>(
    (parent, part) => hmac(parent, part),
    Buffer.from(`AWS4${secretAccessKey}`),
  )
  return timingSafeEqual(hmac(key, text), Buffer.from(scope.signature, 'hex'))
}

const hash = (data: string | Buffer) => createHash('sha256').update(data).digest('hex')
const hmac = (key: Buffer, data: string) => createHmac('sha256', key).update(data).digest()
const encodeAgain = (segment: string) =>
  encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
const normalise = (pair: string) => (pair.includes('=') ? pair : `${pair}=`)
