import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { Publisher } from '../ports/publisher.ts'
import { ask } from './errors.ts'

/** One bucket; S3 checks the digest that the SDK sends along. */
export function publisher(client: S3Client, bucket: string): Publisher {
  return {
    async publish(name, bytes, type) {
      const input = { Bucket: bucket, Key: name, Body: bytes, ContentType: type }
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
