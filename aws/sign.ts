import { createHash, createHmac } from 'node:crypto'

/** Keys of a role or a user. */
export interface Identity {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** A POST to one service in one region. */
export interface Unsigned {
  /** Without odd letters; absent: the root. */
  readonly path?: string
  readonly service: string
  readonly region: string
  /** Names in lower case; `host` among them. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * The headers of a request with those that sign it, all others among what is signed (Signature Version 4,
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html). `now`: epoch milliseconds.
 */
export function sign(
  { service, region, headers, body, path = '/' }: Unsigned,
  { accessKeyId, secretAccessKey, sessionToken }: Identity,
  now: number,
): Record<string, string> {
  const time = new Date(now).toISOString().replace(/[:-]|\.\d{3}/g, '')
  const all: Record<string, string> = {
    ...headers,
    'x-amz-date': time,
    ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
  }
  const names = Object.keys(all).sort()
  const lines = names.map((name) => `${name}:${(all[name] ?? '').trim().replace(/ +/g, ' ')}`)
  const canonical = ['POST', path, '', ...lines, '', names.join(';'), hash(body)].join('\n')
  const scope = [time.slice(0, 8), region, service, 'aws4_request']
  const key = scope.reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey}`))
  const text = ['AWS4-HMAC-SHA256', time, scope.join('/'), hash(canonical)].join('\n')
  const signature = hmac(key, text).toString('hex')
  const credential = `Credential=${accessKeyId}/${scope.join('/')}`
  const authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  return { ...all, authorization }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
