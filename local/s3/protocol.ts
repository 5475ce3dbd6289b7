import { AwsError } from '../service.ts'
import { quote } from '../wire.ts'

/** An object on its way: `body` is its bytes, `type` its Content-Type. */
export interface Parcel {
  readonly body: Buffer
  readonly type: string
  /** As S3 quotes it: MD5 in hex between quotation marks. */
  readonly etag: string
  /** Epoch milliseconds. */
  readonly modified: number
}

const OBJECT: Readonly<Record<string, string>> = {
  DELETE: 'DeleteObject',
  GET: 'GetObject',
  HEAD: 'HeadObject',
  PUT: 'PutObject',
}
const BUCKET: Readonly<Record<string, string>> = {
  DELETE: 'DeleteBucket',
  GET: 'ListObjectsV2',
  HEAD: 'HeadBucket',
  PUT: 'CreateBucket',
}
const XML = { 'content-type': 'application/xml' }
const XMLNS = 'http://s3.amazonaws.com/doc/2006-03-01/'

/**
 * restXml as S3 speaks it, addressed by path, as its clients do when the endpoint is an IP address
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAPI.html).
 */
export function storage(headers: Readonly<Record<string, string>>) {
  return {
    request(method: string, url: string, body: Buffer) {
      const { pathname, searchParams } = new URL(url, 'http://localhost')
      const [, Bucket = '', ...rest] = pathname.split('/')
      const Key = rest.map(decodeURIComponent).join('/')
      const operation = (Key === '' ? BUCKET : OBJECT)[method]
      if (Bucket === '' || operation === undefined || unknown(searchParams, operation)) return
      const Prefix = searchParams.get('prefix') ?? ''
      const owner = headers['x-amz-expected-bucket-owner']
      const place = { Bucket, ...(owner !== undefined && { ExpectedBucketOwner: owner }) }
      const known = headers['if-none-match']
      const read = known !== undefined && operation === 'GetObject' && { IfNoneMatch: known }
      const named = Key === '' ? { ...place, Prefix } : { ...place, Key, ...read }
      const parcel = { Body: body.toString('base64'), ContentType: headers['content-type'] }
      return { operation, input: operation === 'PutObject' ? { ...named, ...parcel } : named }
    },
    success(output: Readonly<Record<string, unknown>>, _requestId: string, operation: string) {
      const { parcel } = output
      if (isParcel(parcel)) return carried(parcel, operation)
      if (operation === 'ListObjectsV2') return { status: 200, headers: XML, body: listed(output) }
      return { status: operation.startsWith('Delete') ? 204 : 200, headers: {}, body: '' }
    },
    failure({ code, message, status }: AwsError, requestId: string) {
      const [name, number] = NAMES[code] ?? [code, status]
      return {
        status: number,
        headers: XML,
        body: `<Error><Code>${quote(name)}</Code><Message>${quote(message)}</Message><RequestId>${requestId}</RequestId></Error>`,
      }
    },
    unknown: () =>
      new AwsError(
        'NotImplemented',
        'A header you provided implies functionality that is not implemented',
        501,
      ),
  }
}

/** Errors of the endpoint itself, as S3 names them. */
const NAMES: Readonly<Record<string, readonly [string, number]>> = {
  AccessDeniedException: ['AccessDenied', 403],
  InvalidSignatureException: ['SignatureDoesNotMatch', 403],
  ThrottlingException: ['SlowDown', 503],
  UnrecognizedClientException: ['InvalidAccessKeyId', 403],
}

/** Sub-resources (`?acl`, `?uploads`) are operations of their own. */
function unknown(query: URLSearchParams, operation: string): boolean {
  const known = operation === 'ListObjectsV2' ? ['list-type', 'prefix', 'x-id'] : ['x-id']
  return [...query.keys()].some((name) => !known.includes(name))
}

function carried({ body, type, etag, modified }: Parcel, operation: string) {
  const headers = { etag, 'last-modified': new Date(modified).toUTCString() }
  if (operation === 'PutObject') return { status: 200, headers: { etag }, body: '' }
  const whole = { ...headers, 'content-type': type, 'accept-ranges': 'bytes' }
  const length = { 'content-length': `${body.length}` }
  return operation === 'HeadObject'
    ? { status: 200, headers: { ...whole, ...length }, body: '' }
    : { status: 200, headers: whole, body }
}

function listed({ name, prefix, keys }: Readonly<Record<string, unknown>>): string {
  const all = Array.isArray(keys) ? keys : []
  const contents = all.map((key) => `<Contents><Key>${quote(String(key))}</Key></Contents>`)
  return `<ListBucketResult xmlns="${XMLNS}"><Name>${quote(String(name))}</Name><Prefix>${quote(String(prefix))}</Prefix><KeyCount>${all.length}</KeyCount><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`
}

function isParcel(value: unknown): value is Parcel {
  return typeof value === 'object' && value !== null && 'etag' in value
}
