import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { ownAddress, taskName, tell } from '../../envoy/task.ts'

test.each([
  ['an address of its own', { Networks: [{ IPv4Addresses: ['127.8.7.6'] }] }, '127.8.7.6'],
  ['only IPv6', { Networks: [{ IPv6Addresses: ['fd00::7'] }] }, 'fd00::7'],
  ['the network of its host', { Networks: [{ NetworkMode: 'host' }] }, '0.0.0.0'],
  ['no networks', {}, '0.0.0.0'],
])('a container with %s', async (_, document, address) => {
  const url = await metadata(200, document)

  expect(await ownAddress({ ECS_CONTAINER_METADATA_URI_V4: url })).toBe(address)
})

test('outside ECS every address is listened on', async () => {
  expect(await ownAddress({})).toBe('0.0.0.0')
})

test('an endpoint that does not answer is tried again by the caller', async () => {
  const url = await metadata(500, {})

  await expect(ownAddress({ ECS_CONTAINER_METADATA_URI_V4: url })).rejects.toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
  })
})

test.each([
  [
    'http://169.254.170.2/v4/8f03e41243824aea923aca126495f665-3531612879',
    '8f03e41243824aea923aca126495f665-3531612879',
  ],
  [
    'http://169.254.170.2/v4/9781c248-0edd-4cdb-9a93-f63cb662a5d3',
    '9781c248-0edd-4cdb-9a93-f63cb662a5d3',
  ],
  ['http://169.254.170.2/v4/../secret', undefined],
  ['', undefined],
  [undefined, undefined],
])('the metadata endpoint %s names the container %s', (url, name) => {
  expect(taskName({ ECS_CONTAINER_METADATA_URI_V4: url })).toBe(name)
})

test('a task is told by a tag which versions it serves', async () => {
  const told: unknown[] = []
  const TaskARN = 'arn:aws:ecs:us-east-1:111122223333:task/mesh/1'
  const ECS_CONTAINER_METADATA_URI_V4 = await metadata(200, { TaskARN })
  const tag = async (...words: unknown[]) => void told.push(words)
  const versions = { version: 'v1', trust: 't1', second: 'v1' }

  await tell({ ECS_CONTAINER_METADATA_URI_V4 }, tag, versions)
  await tell({}, tag, versions)

  expect(told).toEqual([[TaskARN, { 'certrelay:serves': 'v1 t1' }]])
})

/** Answers one request. */
async function metadata(status: number, document: unknown): Promise<string> {
  const server = createServer((_, answer) => {
    answer.writeHead(status, { connection: 'close' }).end(JSON.stringify(document))
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no port')
  return `http://127.0.0.1:${address.port}/v4/abc`
}
