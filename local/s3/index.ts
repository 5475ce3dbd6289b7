import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { AwsError, operation, type Service, type World } from '../service.ts'
import type { Parcel } from './protocol.ts'

const bucketName = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/))
const owned = { ExpectedBucketOwner: v.optional(v.string()) }
const bucket = v.object({ Bucket: bucketName, ...owned })
const object = v.object({
  ...{ Bucket: v.string(), ...owned },
  Key: v.pipe(v.string(), v.minLength(1), v.maxLength(1024)),
})
const asked = v.object({ ...object.entries, IfNoneMatch: v.optional(v.string()) })
const put = v.object({
  ...object.entries,
  Body: v.pipe(
    v.string(),
    v.transform((text) => Buffer.from(text, 'base64')),
  ),
  ContentType: v.optional(v.string(), 'binary/octet-stream'),
})

type Named = Pick<v.InferOutput<typeof object>, 'Bucket' | 'ExpectedBucketOwner'>

interface Bucket {
  readonly region: string
  readonly objects: Map<string, Parcel>
}

/**
 * Amazon S3 as far as certrelay publishes revocation lists there: whole objects in buckets, whose names are unique in the
 * world. No versions, no parts, no access lists; of policies, identities' only.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/
 */
export function s3({ clock, account }: Pick<World, 'clock' | 'account'>): Service {
  const buckets = new Map<string, Bucket>()
  const find = ({ Bucket: name, ExpectedBucketOwner: owner = account }: Named, region: string) => {
    const found = buckets.get(name)
    if (found === undefined)
      throw new AwsError('NoSuchBucket', 'The specified bucket does not exist', 404)
    if (owner !== account) throw new AwsError('AccessDenied', 'Access Denied', 403)
    if (found.region === region) return found.objects
    throw new AwsError(
      'PermanentRedirect',
      'The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.',
      301,
    )
  }
  const get = operation(asked, ({ Key, IfNoneMatch: known, ...named }, { region }) => {
    const parcel = find(named, region).get(Key)
    if (parcel !== undefined && parcel.etag === known)
      throw new AwsError('NotModified', 'Not Modified', 304)
    if (parcel !== undefined) return { parcel }
    throw new AwsError('NoSuchKey', 'The specified key does not exist.', 404)
  })

  return {
    name: 's3',
    operations: {
      CreateBucket: operation(bucket, ({ Bucket }, { region }) => {
        if (buckets.has(Bucket))
          throw new AwsError(
            'BucketAlreadyOwnedByYou',
            'Your previous request to create the named bucket succeeded and you already own it.',
            409,
          )
        buckets.set(Bucket, { region, objects: new Map() })
        return {}
      }),
      DeleteBucket: operation(bucket, (named, { region }) => {
        if (find(named, region).size > 0)
          throw new AwsError('BucketNotEmpty', 'The bucket you tried to delete is not empty', 409)
        buckets.delete(named.Bucket)
        return {}
      }),
      HeadBucket: operation(bucket, (named, { region }) => {
        find(named, region)
        return {}
      }),
      ListObjectsV2: operation(
        v.object({ ...bucket.entries, Prefix: v.optional(v.string(), '') }),
        ({ Prefix: prefix, ...named }, { region }) => {
          const { Bucket: name } = named
          const keys = [...find(named, region).keys()].filter((key) => key.startsWith(prefix))
          return { name, prefix, keys: keys.sort() }
        },
      ),
      PutObject: operation(put, ({ Key, Body, ContentType, ...named }, { region }) => {
        const etag = `"${createHash('md5').update(Body).digest('hex')}"`
        const parcel = { body: Body, type: ContentType, etag, modified: clock.now() }
        find(named, region).set(Key, parcel)
        return { parcel }
      }),
      GetObject: get,
      HeadObject: get,
      DeleteObject: operation(object, ({ Key, ...named }, { region }) => {
        find(named, region).delete(Key)
        return {}
      }),
    },
    subject(_operation, { Bucket, Key }) {
      const arn = typeof Bucket === 'string' ? `arn:aws:s3:::${Bucket}` : '*'
      return { arn: typeof Key === 'string' ? `${arn}/${Key}` : arn }
    },
  }
}
