import { KMSClient } from '@aws-sdk/client-kms'
import middy from '@middy/core'
import { keyhole } from '../aws/kms.ts'
import { keys } from '../middleware/keys.ts'
import type { Sealed } from '../pki/sealed.ts'
import type { Keys } from '../ports/keys.ts'
import type { Log } from '../ports/log.ts'
import { KEYS, settings } from './places.ts'

// A handler with the middleware: bench/cold.ts measures it against bench/bare.ts.

const connect = () => ({
  keyholes: KEYS.map((key, index) => {
    const { region, ...rest } = settings(index)
    return keyhole(new KMSClient({ region, ...rest }), region, key)
  }),
})
const log: Log = {
  ...{ info: () => {}, warn: () => {}, error: () => {}, count: () => {} },
  audit: (fields, attempts) => void JSON.stringify({ audit: true, ...fields, attempts }),
}

interface Context {
  readonly keys: (log: Log) => Keys | undefined
  readonly getRemainingTimeInMillis: () => number
}

export const handler = middy<Sealed, number, Error, Context & Parameters<typeof plain>[1]>()
  .use(keys(connect))
  .handler(plain)

async function plain(sealed: Sealed, context: Context & import('aws-lambda').Context) {
  const opened = await context.keys(log)?.open(sealed, {
    ...{ org: 'acme', purpose: 'passphrase', secret: 'arn:secret', version: 'v1' },
  })
  return opened?.reveal().length ?? 0
}
