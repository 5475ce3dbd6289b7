import { createServer, type IncomingMessage } from 'node:http'
import { permits } from '../events/permission.ts'
import type { Page } from '../lambda/payload.ts'
import { readBody } from '../protocol.ts'
import { AwsError, type World } from '../service.ts'
import type { Forwarder } from './forwarder.ts'
import type { Group } from './target-group.ts'
import { eventOf, LARGEST, pageOf } from './visit.ts'

const PRINCIPAL = 'elasticloadbalancing.amazonaws.com'
const CALLER = { arn: PRINCIPAL, accessKeyId: '', internal: true }

/** An HTTP listener of an application load balancer, whose targets are functions. */
export function front(
  world: World,
  {
    region,
    address,
    port,
  }: { readonly region: string; readonly address: string; readonly port: number },
  target: () => Group | undefined,
): Promise<Forwarder> {
  const server = createServer((request, response) => {
    serve(request).then(
      ({ status, headers, body }) => {
        response.writeHead(status, {
          server: 'awselb/2.0',
          ...headers,
          'content-length': body.length,
        })
        response.end(body)
      },
      (error: unknown) => {
        world.clock.hold(Promise.reject(error)) // reported like a timer's mistake
        response.writeHead(502).end()
      },
    )
  })

  async function serve(request: IncomingMessage): Promise<Page> {
    const group = target()
    const fn = group?.fn?.()
    if (group === undefined || fn === undefined) return plain(503)
    const body = await readBody(request)
    if (body.length > LARGEST) return plain(413)
    const many = group.attributes.get('lambda.multi_value_headers.enabled') === 'true'
    const { method = 'GET', url = '/' } = request
    const headers = { ...given(request), ...added(world, request, port) }
    const event = eventOf({ method, url, headers, body, targetGroup: group.arn, many })
    const payload = await invoke(world, region, fn, JSON.stringify(event))
    return (payload && pageOf(payload, many)) || plain(502)
  }

  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address, port }, () =>
      resolve({
        close: () =>
          new Promise<void>((done) => {
            server.close(() => done())
            server.closeAllConnections()
          }),
      }),
    )
  })
}

/** What a function answered; `undefined` when it failed, or could not be asked. */
async function invoke(world: World, region: string, fn: string, event: string) {
  const input = { FunctionName: fn, Payload: Buffer.from(event).toString('base64') }
  try {
    const answer = await world.call('lambda', 'Invoke', input, { region, caller: CALLER })
    if (answer['FunctionError'] !== undefined) return undefined
    return Buffer.from(String(answer['Payload']), 'base64').toString('utf8')
  } catch (error) {
    if (error instanceof AwsError) return undefined // throttled, or gone
    throw error
  }
}

/** @throws AwsError InvalidTarget when the function's own policy does not let load balancers invoke it */
export async function mayInvoke(world: World, group: string, fn: string): Promise<void> {
  const [, , , region = ''] = fn.split(':')
  const as = { region, caller: CALLER, unrecorded: true }
  const policy = await world
    .call('lambda', 'GetPolicy', { FunctionName: fn }, as)
    .catch((error: unknown) => {
      if (error instanceof AwsError && error.status < 500) return { Policy: undefined }
      throw error
    })
  const text = typeof policy['Policy'] === 'string' ? policy['Policy'] : undefined
  const conditions = { 'aws:SourceArn': group, 'aws:SourceAccount': world.account }
  if (permits(text, PRINCIPAL, 'lambda:InvokeFunction', { arn: fn, conditions })) return
  throw new AwsError(
    'InvalidTarget',
    `elasticloadbalancing principal does not have permission to invoke ${fn} from target group ${group}`,
  )
}

function given({ rawHeaders }: IncomingMessage): Record<string, string[]> {
  const all: Record<string, string[]> = {}
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase()
    if (name !== 'connection') all[name] = [...(all[name] ?? []), rawHeaders[at + 1] ?? '']
  }
  return all
}

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html, load-balancer-request-tracing.html */
function added({ clock, random }: World, { headers, socket }: IncomingMessage, port: number) {
  const id = () => `1-${Math.floor(clock.now() / 1_000).toString(16)}-${random.hex(24)}`
  const before = headers['x-amzn-trace-id']
  const trace = typeof before === 'string' && before.includes('Root=')
  const before4 = headers['x-forwarded-for']
  const address = socket.remoteAddress ?? ''
  return {
    'x-amzn-trace-id': [trace ? `Self=${id()};${before}` : `Root=${id()}`],
    'x-forwarded-for': [typeof before4 === 'string' ? `${before4}, ${address}` : address],
    'x-forwarded-port': [String(port)],
    'x-forwarded-proto': ['http'],
  }
}

function plain(status: number): Page {
  return { status, headers: { 'content-type': 'text/html' }, body: Buffer.from(`${status}\n`) }
}
