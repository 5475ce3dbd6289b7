import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Iam } from '../iam.ts'
import { misbehave } from '../mishap.ts'
import { readBody } from '../protocol.ts'
import { flatten, portOf } from '../server.ts'
import { AwsError, type World } from '../service.ts'
import type { Fn } from './function.ts'
import { type AuthType, gate } from './gate.ts'
import type { Invocations } from './invocations.ts'
import { eventOf, type Page, pageOf } from './payload.ts'

/** A function URL that is being served. */
export interface Site {
  /** `http://127.0.0.1:PORT/` */
  readonly url: string
  close(): Promise<void>
}

const LARGEST = 6_291_456

/** Serves a function on a loopback port of its own. `auth` is asked for each time. */
export async function site(
  world: World,
  around: { readonly iam: Iam; readonly work: Invocations },
  fn: Fn,
  auth: () => AuthType,
): Promise<Site> {
  const enter = gate(world, around.iam)
  const id = world.random.hex(32)
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      world.clock.hold(Promise.reject(error)) // reported like a timer's mistake
      send(response, problem(new AwsError('InternalServerErrorException', BROKEN, 502)))
    })
  })
  server.keepAliveTimeout = 60_000

  async function answer(request: IncomingMessage, response: ServerResponse) {
    const { method = 'GET', url = '/' } = request
    const received = { method, url, headers: flatten(request), body: await readBody(request) }
    const mishap = world.faults.strike('lambda', 'InvokeFunctionUrl', fn.region)
    const refuse = (error: AwsError) => send(response, problem(error))
    if (mishap && (await misbehave(mishap, 'lambda', { request, response }, refuse))) return
    const requestId = world.random.uuid()
    response.setHeader('x-amzn-requestid', requestId)
    const page = await visit(received, requestId).catch((error: unknown) => {
      if (error instanceof AwsError) return problem(error)
      throw error
    })
    if (mishap?.kind === 'lost') request.socket.destroy()
    else send(response, page)
  }

  async function visit(received: Parameters<typeof enter>[2], requestId: string): Promise<Page> {
    const caller = enter(fn, auth(), received, requestId)
    if (received.body.length > LARGEST) {
      throw new AwsError('RequestTooLargeException', 'Request Entity Too Large', 413)
    }
    const { account, clock } = world
    const event = eventOf({ ...received, caller, account, id, requestId, time: clock.now() })
    const payload = JSON.stringify(event)
    const job = { fn, version: fn.latest, arn: fn.arn, requestId, payload }
    const outcome = await around.work.run(job, false)
    if (outcome === undefined) throw new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429)
    const page = outcome.failed ? undefined : pageOf(outcome.payload)
    if (page !== undefined) return page
    throw new AwsError('InternalServerErrorException', BROKEN, 502)
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${portOf(server.address())}/`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const BROKEN = 'Internal Server Error'

function problem({ code, message, status }: AwsError): Page {
  const denied = code === 'UnrecognizedClientException'
  return {
    status: denied ? 403 : status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': code },
    body: Buffer.from(JSON.stringify({ Message: message })),
  }
}

function send(response: ServerResponse, { status, headers, body }: Page) {
  if (response.headersSent) return
  response.writeHead(status, { ...headers, 'content-length': body.length })
  response.end(body)
}
