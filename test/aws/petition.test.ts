import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { reach } from '../../aws/sidecar.ts'
import { leaks } from '../support/canary.ts'

const ENVIRONMENT = {
  ...{ AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'CANARY', AWS_REGION: 'us-east-1' },
}
const PETITION = { csr: Buffer.from('csr'), token: 'one', at: 0 }
const GOOD = { certificate: 'one', chain: '', anchors: 'two', serial: '1' }

interface Asked {
  readonly path: string | undefined
  readonly region: string | undefined
  readonly body: unknown
}
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** The URL of a function that answers always the same. */
async function door(status: number, body: unknown, asked: Asked[] = []) {
  const server = createServer(async (request, response) => {
    const [, region] = /\/([a-z0-9-]+)\/lambda\//.exec(request.headers.authorization ?? '') ?? []
    asked.push({ path: request.url, region, body: JSON.parse(await text(request)) })
    response.writeHead(status, { connection: 'close' }).end(JSON.stringify(body))
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new TypeError('no port')
  return { url: `http://127.0.0.1:${bound.port}/` }
}

const certify = async (...doors: readonly { readonly url: string; readonly region?: string }[]) => {
  const ca = await reach(ENVIRONMENT).petitions(doors, { label: 'mesh', profile: 'hours' })
  return ca.certify(PETITION)
}
const refusing = (code: string, message = 'no') => ({ code, message })

test('a request names authority and profile, and is signed for the region of its door', async () => {
  const asked: Asked[] = []
  const one = await door(200, GOOD, asked)

  const certified = await certify({ ...one, region: 'eu-west-1' })

  expect(certified).toEqual({ certificate: 'one', chain: '', anchors: 'two' })
  expect(asked).toMatchObject([
    {
      ...{ path: '/sign', region: 'eu-west-1' },
      body: { authority: 'mesh', profile: 'hours', csr: expect.stringContaining('REQUEST') },
    },
  ])
})

test.each([
  [503, refusing('SERVICE_UNAVAILABLE')],
  [429, {}],
  [502, 'a proxy'],
  [200, { certificate: 'half' }],
])('after %i %j the next region is asked', async (status, body) => {
  const second: Asked[] = []

  await certify(await door(status, body), await door(200, GOOD, second))

  expect(second).toHaveLength(1)
})

test.each([
  [403, refusing('NAME_REFUSED'), 'NAME_REFUSED'],
  [404, refusing('AUTHORITY_MISSING'), 'AUTHORITY_MISSING'],
  [403, {}, 'ACCESS_REFUSED'],
])('what the first region refuses with %i %j no other is asked', async (status, body, code) => {
  const second: Asked[] = []

  await expect(
    certify(await door(status, body), await door(200, GOOD, second)),
  ).rejects.toMatchObject({ code })
  expect(second).toEqual([])
})

test('when the first region is out, what another refuses is not the last word', async () => {
  const doors = [await door(503, {}), await door(403, refusing('NAME_REFUSED', 'not yours'))]

  const error = await certify(...doors).catch((failure: unknown) => failure)

  expect(error).toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
    message: expect.stringMatching(/status 503.*; .*not yours/),
  })
  expect(leaks(error)).toEqual([])
  expect(String(error)).not.toContain('CANARY')
})
