import {
  createHmac,
  createSecretKey,
  hash as digest,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto'

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
 * Host, date and target must be among what is signed, and the body is hashed here, whatever its hash header says.
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
  const { headers } = request
  const needed = ['host', ...MUST.filter((name) => headers[name] !== undefined)]
  if (!needed.every((name) => scope.signedHeaders.includes(name))) return false
  const payload = hash(request.body)
  if (headers['x-amz-date']?.slice(0, 8) !== scope.date) return false
  const [path = '/', query = ''] = request.url.split('?', 2)
  const canonical = [
    request.method,
    path.split('/').map(encodeAgain).join('/'),
    query.split('&').filter(Boolean).map(normalise).sort().join('&'),
    ...scope.signedHeaders.map(
      (name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}`,
    ),
    '',
    scope.signedHeaders.join(';'),
    payload,
  ].join('\n')
  const credential = `${scope.date}/${scope.region}/${scope.service}/aws4_request`
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], credential, hash(canonical)].join('\n')
  const key = signingKey(scope, secretAccessKey)
  return timingSafeEqual(hmac(key, text), Buffer.from(scope.signature, 'hex'))
}

const MOST_KEYS = 100
const derived = new Map<string, KeyObject>()

/** The key of one day, region and service; the same for many requests, so it is remembered. */
function signingKey({ date, region, service }: Scope, secretAccessKey: string): KeyObject {
  const name = `${secretAccessKey} ${date} ${region} ${service}`
  const known = derived.get(name)
  if (known !== undefined) return known
  const made = [date, region, service, 'aws4_request'].reduce<KeyObject>(
    (parent, part) => createSecretKey(hmac(parent, part)),
    createSecretKey(Buffer.from(`AWS4${secretAccessKey}`)),
  )
  if (derived.size >= MOST_KEYS) derived.clear()
  derived.set(name, made)
  return made
}

/** Headers that change what a request means: when they are there, they must be signed. */
const MUST = ['x-amz-date', 'x-amz-target', 'x-amz-security-token']

const hash = (data: string | Buffer) => digest('sha256', data, 'hex')
const hmac = (key: KeyObject, data: string) => createHmac('sha256', key).update(data).digest()
const encodeAgain = (segment: string) =>
  encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
const normalise = (pair: string) => (pair.includes('=') ? pair : `${pair}=`)
