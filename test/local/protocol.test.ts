import { describe, expect, test } from 'vitest'
import { encoder } from '../../local/protocol.ts'
import { AwsError } from '../../local/service.ts'

const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
const target = (name: string) => ({
  'x-amz-target': name,
  'content-type': 'application/x-amz-json-1.0',
})
const ask = (body: string, headers: Record<string, string> = form, url = '/') =>
  encoder(headers, url).request('POST', url, Buffer.from(body))

describe('JSON', () => {
  test.each([
    'TrentService.Encrypt',
    'com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.Encrypt',
  ])('the operation is what stands after the last dot of %s', (name) => {
    expect(ask('{"a":[1]}', target(name))).toEqual({ operation: 'Encrypt', input: { a: [1] } })
  })

  test('no body is an empty input, and what is no object is nothing', () => {
    expect(ask('', target('A.B'))).toEqual({ operation: 'B', input: {} })
    for (const body of ['[]', 'null', '1', '{']) expect(ask(body, target('A.B'))).toBeUndefined()
    expect(ask('{}', {})).toBeUndefined()
  })

  test('answers come in the content type of the request, and errors name themselves twice', () => {
    const protocol = encoder(target('A.B'), '/')

    const good = protocol.success({ at: 1.5, none: undefined }, 'id', 'B')
    const bad = protocol.failure(new AwsError('Odd', 'why', 418), 'id')

    expect(good).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/x-amz-json-1.0' },
      body: '{"at":1.5}',
    })
    expect(bad).toMatchObject({ status: 418, headers: { 'x-amzn-errortype': 'Odd' } })
    expect(JSON.parse(String(bad.body))).toMatchObject({ __type: 'Odd', message: 'why' })
    expect(protocol.unknown('B').code).toBe('UnknownOperationException')
  })
})

describe('query', () => {
  const protocol = encoder(form, '/')

  test('lists and structures are put together again, ten members in their order', () => {
    const members = Array.from({ length: 11 }, (_, index) => `L.member.${index + 1}=${index}`)
    const body = `Action=Do&Version=1&A=b%26c&S.Inner.Deep=d&T.member.1.Key=k&T.member.1.Value=v%20w&${members.join('&')}`

    expect(ask(body)).toEqual({
      operation: 'Do',
      input: {
        A: 'b&c',
        S: { Inner: { Deep: 'd' } },
        T: [{ Key: 'k', Value: 'v w' }],
        L: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10'],
      },
    })
    expect(ask('A=b')).toBeUndefined()
  })

  test('answers are XML in which nothing breaks out', () => {
    const date = new Date(0)
    const { body } = protocol.success({ A: '<b>&"', L: ['x', { K: 1 }], D: date }, 'id', 'Do')

    expect(body).toBe(
      '<DoResponse><DoResult><A>&#60;b&#62;&#38;&#34;</A><L><member>x</member><member><K>1</K></member></L><D>1970-01-01T00:00:00.000Z</D></DoResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DoResponse>',
    )
  })

  test("errors say whose fault they are, in the protocol's own names", () => {
    const sender = protocol.failure(new AwsError('AccessDeniedException', 'a<b', 403), 'id')
    const receiver = protocol.failure(new AwsError('InternalFailure', 'x', 500), 'id')

    expect(sender.body).toContain('<Type>Sender</Type><Code>AccessDenied</Code>')
    expect(sender.body).toContain('<Message>a&#60;b</Message>')
    expect(receiver.body).toContain('<Type>Receiver</Type><Code>InternalFailure</Code>')
    expect(protocol.unknown('Do').code).toBe('InvalidAction')
  })
})

describe('REST', () => {
  const url = '/2015-03-31/functions/arn%3Aaws%3Alambda%3Ax/invocations?Qualifier=live%201'

  test('an invocation carries name, qualifier, type and payload', () => {
    const decoded = ask('{}', { 'x-amz-invocation-type': 'Event' }, url)

    expect(decoded).toMatchObject({
      operation: 'Invoke',
      input: {
        FunctionName: 'arn:aws:lambda:x',
        Qualifier: 'live 1',
        InvocationType: 'Event',
        Payload: Buffer.from('{}').toString('base64'),
      },
    })
  })

  test('the payload is the body, and a function error a header', () => {
    const Payload = Buffer.from('{"a":"ü"}').toString('base64')

    const answer = encoder({}, url).success({ Payload, FunctionError: 'Unhandled' }, 'id', 'Invoke')

    expect(answer.body).toBe('{"a":"ü"}')
    expect(answer.headers).toMatchObject({ 'x-amz-function-error': 'Unhandled' })
  })
})
