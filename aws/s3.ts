import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { Publisher } from '../ports/publisher.ts'
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
