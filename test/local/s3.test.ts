import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { publisher, sheet } from '../../aws/s3.ts'
import { s3 } from '../../local/s3/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { client, role } from '../support/client.ts'

const Bucket = 'lists'
const OURS = { bucket: Bucket, owner: '111122223333' }
const Key = 'crl/db.crl'
/** No text: what is not UTF-8 must come back as it was. */
const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
let world: Ground
let sdk: S3Client

beforeEach(async () => {
  world = await open({}, (ground) => ({ services: [s3(ground)] }))
  sdk = new S3Client(client(world))
  await sdk.send(new CreateBucketCommand({ Bucket }))
})
afterEach(async () => {
  sdk.destroy()
  await world.close()
})

test('what is published is read back byte by byte, with its type', async () => {
  await publisher(sdk, OURS).publish(Key, bytes, 'application/pkix-crl')

  const { Body, ContentType } = await sdk.send(new GetObjectCommand({ Bucket, Key }))
  const { ContentLength } = await sdk.send(new HeadObjectCommand({ Bucket, Key }))
  expect(await Body?.transformToByteArray()).toEqual(bytes)
  expect({ ContentType, ContentLength }).toEqual({
    ContentType: 'application/pkix-crl',
    ContentLength: 256,
  })
})

test('a sheet is read whole, and anew only where it is another edition', async () => {
  const put = (Body: string) => sdk.send(new PutObjectCommand({ Bucket, Key, Body }))
  const { read } = sheet(sdk, { ...OURS, key: Key, what: 'the list' })
  await put('one')
  const first = await read()
  const same = await read(first?.mark)
  await put('two')
  const second = await read(first?.mark)

  expect([first?.text, same, second?.text]).toEqual(['one', undefined, 'two'])
  expect(second?.mark).not.toBe(first?.mark)
})

test.each([
  ['that is not there', { key: 'other' }],
  ['in no bucket', { bucket: 'no-such-bucket' }],
  ['in a bucket of somebody else', { owner: '444455556666' }],
])('a sheet %s is a mistake of who configured it, and named by what it is', async (_, more) => {
  await sdk.send(new PutObjectCommand({ Bucket, Key, Body: 'one' }))
  const { read } = sheet(sdk, { ...OURS, key: Key, what: 'the list', ...more })

  await expect(read()).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/^cannot read the list: /),
  })
})

test('a sheet is away while S3 is', async () => {
  const { read } = sheet(sdk, { ...OURS, key: Key, what: 'the list' })
  world.faults.add({ service: 's3' }, { kind: 'error', status: 503 })

  await expect(read()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
})

test('what is published again takes the place of what was there', async () => {
  const { publish } = publisher(sdk, OURS)
  await publish(Key, bytes, 'application/pkix-crl')
  await publish(Key, bytes.slice(0, 3), 'application/pkix-crl')

  const { Contents } = await sdk.send(new ListObjectsV2Command({ Bucket, Prefix: 'crl/' }))
  const { ContentLength } = await sdk.send(new HeadObjectCommand({ Bucket, Key }))
  expect(Contents?.map((one) => one.Key)).toEqual([Key])
  expect(ContentLength).toBe(3)
})

test.each([
  ['CONFIG_INVALID', 'no-such-bucket', 'us-east-1'],
  ['CONFIG_INVALID', Bucket, 'us-west-2'],
])('publishing fails with %s in the bucket %s from %s', async (code, bucket, region) => {
  const other = new S3Client(client(world, region))

  const published = publisher(other, { bucket, owner: OURS.owner }).publish(
    Key,
    bytes,
    'application/pkix-crl',
  )

  await expect(published).rejects.toMatchObject({ code })
  other.destroy()
})

test('who may put into one folder may not put into another, nor read', async () => {
  const writer = role(world, 'writer', {
    Effect: 'Allow',
    Action: 's3:PutObject',
    Resource: `arn:aws:s3:::${Bucket}/crl/*`,
  })
  const theirs = new S3Client(client(world, 'us-east-1', writer))
  const { publish } = publisher(theirs, OURS)

  await publish(Key, bytes, 'application/pkix-crl')

  await expect(publish('other', bytes, 'text/plain')).rejects.toMatchObject({
    code: 'ACCESS_REFUSED',
  })
  await expect(theirs.send(new GetObjectCommand({ Bucket, Key }))).rejects.toThrow(/s3:GetObject/)
  theirs.destroy()
})

test('nothing is put into a bucket of another account', async () => {
  const published = publisher(sdk, { ...OURS, owner: '444455556666' }).publish(
    Key,
    bytes,
    'text/plain',
  )

  await expect(published).rejects.toMatchObject({ code: 'ACCESS_REFUSED' })
  const { Contents = [] } = await sdk.send(new ListObjectsV2Command({ Bucket }))
  expect(Contents).toEqual([])
  const other = { Bucket, Key, ExpectedBucketOwner: '444455556666' }
  await expect(sdk.send(new GetObjectCommand(other))).rejects.toMatchObject({
    name: 'AccessDenied',
  })
})

test('a bucket that holds something is not deleted', async () => {
  await sdk.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
  await expect(sdk.send(new DeleteBucketCommand({ Bucket }))).rejects.toMatchObject({
    name: 'BucketNotEmpty',
  })

  await sdk.send(new DeleteObjectCommand({ Bucket, Key }))
  await sdk.send(new DeleteBucketCommand({ Bucket }))

  await expect(sdk.send(new GetObjectCommand({ Bucket, Key }))).rejects.toMatchObject({
    name: 'NoSuchBucket',
  })
})

test('throttles and server faults are told as unavailable', async () => {
  world.faults.add({ service: 's3', region: 'us-east-1' }, { kind: 'throttle' })

  const published = publisher(sdk, OURS).publish(Key, bytes, 'text/plain')

  await expect(published).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
})

test('a sub-resource is answered as an operation that is not there', async () => {
  await expect(sdk.send(new GetObjectAclCommand({ Bucket, Key }))).rejects.toMatchObject({
    name: 'NotImplemented',
  })
})
