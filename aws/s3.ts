import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { told } from '../pki/fault.ts'
import type { Publisher } from '../ports/publisher.ts'
import type { Sheet } from '../ports/sheet.ts'
import { ask } from './errors.ts'

/** A bucket, and the account that it has to be of: names of buckets are free for everybody once a bucket is gone. */
export interface Place {
  readonly bucket: string
  readonly owner: string
}

/** One bucket; S3 checks the digest that the SDK sends along, and whose bucket it is. */
export function publisher(client: S3Client, { bucket, owner }: Place): Publisher {
  return {
    async publish(name, bytes, type) {
      const place = { Bucket: bucket, ExpectedBucketOwner: owner }
      const input = { ...place, Key: name, Body: bytes, ContentType: type }
      await ask(
        `publish ${name} in bucket ${bucket}`,
        () => client.send(new PutObjectCommand(input)),
        {
          AccessDenied: 'ACCESS_REFUSED',
          NoSuchBucket: 'CONFIG_INVALID',
          PermanentRedirect: 'CONFIG_INVALID',
        },
      )
    },
  }
}

/** One object, read anew only where it has another ETag; `what` names it in errors, which callers see. */
export function sheet(
  client: S3Client,
  { bucket, owner, key, what }: Place & { readonly key: string; readonly what: string },
): Sheet {
  const place = { Bucket: bucket, ExpectedBucketOwner: owner, Key: key }
  const fetch = async (known: string | undefined) => {
    const command = new GetObjectCommand({ ...place, ...(known && { IfNoneMatch: known }) })
    const { Body, ETag: mark = '' } = await client.send(command)
    return { text: (await Body?.transformToString()) ?? '', mark }
  }
  return {
    read: (known) =>
      ask(
        `read ${what}`,
        () =>
          fetch(known).catch((error: unknown) => {
            if (told(error).status === NOT_MODIFIED) return undefined
            throw error
          }),
        {
          AccessDenied: 'CONFIG_INVALID', // what S3 says of an object that is not there, too
          NoSuchBucket: 'CONFIG_INVALID',
          NoSuchKey: 'CONFIG_INVALID',
          PermanentRedirect: 'CONFIG_INVALID',
        },
      ),
  }
}

const NOT_MODIFIED = 304
