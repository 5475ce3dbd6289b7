import { RelayError } from '../../pki/error.ts'
import type { Sheet } from '../../ports/sheet.ts'
import type { Part, Site } from '../part.ts'

/** Whoever waits for a certificate waits for this too. Milliseconds. */
const haste = { connectionTimeout: 1_000, requestTimeout: 2_000, throwOnRequestTimeout: true }

/** S3: the list of keys that are not certified, where one is configured. @throws CONFIG_INVALID when nobody knows whose bucket it is */
export const weak: Part<{ readonly weakSheet: Sheet | undefined }> = (site) => {
  const { weakKeys: object, account: owner } = site.config
  if (object === undefined) return { weakSheet: undefined }
  if (owner === undefined)
    throw new RelayError(
      'CONFIG_INVALID',
      'set CERTRELAY_ACCOUNT: the list of weak keys has to be in a bucket of it',
    )
  let made: Promise<Sheet> | undefined
  return {
    weakSheet: {
      async read(known) {
        made ??= connected(site, { ...object, owner })
        return (await made).read(known)
      },
    },
  }
}

/** S3's client is loaded here: a cold start without such a list does not wait for it. */
async function connected(
  { paced, settings }: Site,
  place: { readonly bucket: string; readonly key: string; readonly owner: string },
): Promise<Sheet> {
  const { S3Client } = await import('@aws-sdk/client-s3')
  const { sheet } = await import('../s3.ts')
  const client = new S3Client({ ...settings, maxAttempts: 2, requestHandler: haste })
  return sheet(paced(client), { ...place, what: 'the list of weak keys' })
}
