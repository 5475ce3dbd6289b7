import { ListTagsForCertificateCommand } from '@aws-sdk/client-acm'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { handler } from '../../functions/certificate.ts'
import type { Asking, Request } from '../support/desk.ts'
import { HOME, type Stage, stage } from '../support/stage.ts'
import { become, visit } from '../support/visit.ts'

let on: Stage
/** ACM issues nothing while it is closed. */
let gate: PromiseWithResolvers<void> | undefined

beforeAll(async () => {
  on = await stage({
    flow: true,
    acm: {
      async tamper(issued) {
        await gate?.promise
        return issued
      },
    },
  })
  await become(on, 'certrelay-certificate', 'CertificateRole')
}, 120_000)

afterEach(() => {
  on.aws.faults.clear()
  gate?.resolve()
  gate = undefined
})

afterAll(async () => {
  vi.restoreAllMocks()
  await on.close()
  expect(on.notes).toEqual([])
})

/** Lambda's time for one invocation when so many milliseconds of it are for work. */
const working = (milliseconds: number) => 5_000 + milliseconds

function request(secret: string, more: Partial<Asking> = {}): Request {
  return on.desk.request({ logicalId: secret, properties: on.wish(secret), ...more })
}

/** What there is more than before. */
async function news(before: Awaited<ReturnType<Stage['holdings']>>) {
  const after = await on.holdings()
  return {
    certificates: after.certificates.filter((arn) => !before.certificates.includes(arn)),
    secrets: after.secrets.filter((arn) => !before.secrets.includes(arn)),
  }
}

describe('CloudFormation has its answer', () => {
  it('with what to look for, when the time of the whole request is up in the middle of work', async () => {
    gate = Promise.withResolvers()
    const before = await on.holdings()
    const over = { more: { certrelay: { until: Date.now() - 1, attempt: 3 } } }
    const { event, answered } = request('late', over)

    await visit(handler, event, working(300))
    const { Status, Reason } = await answered
    const [left = ''] = (await news(before)).certificates
    const list = new ListTagsForCertificateCommand({ CertificateArn: left })
    const [tag] = (await on.acm.send(list)).Tags ?? []

    expect(Status).toBe('FAILED')
    expect(Reason).toMatch(/^SERVICE_UNAVAILABLE: AWS has not answered in the time/)
    expect(Reason).toContain(`with the tag ${tag?.Key} = ${tag?.Value} is left behind, delete it`)
  })

  it('and nothing is left, when work fails until the time of the whole request is up', async () => {
    const before = await on.holdings()
    const properties = { ...on.wish('failing'), ServiceTimeout: '8' }
    const { event, answered } = request('failing', {
      properties,
      more: { certrelay: { until: Date.now() - 1, attempt: 3 } },
    })
    on.aws.faults.add({ operation: 'CreateSecret' }, { kind: 'error', status: 503 })

    await visit(handler, event)
    const { Status, Reason } = await answered

    expect(Status).toBe('FAILED')
    expect(Reason).toMatch(
      /^SERVICE_UNAVAILABLE: cannot create secret failing: InternalServiceError/,
    )
    expect(await news(before)).toEqual({ certificates: [], secrets: [] })
  })

  it('and nothing is left, when the work cannot be handed on', async () => {
    const before = await on.holdings()
    const { event, answered } = request('alone')
    on.aws.faults.add({ operation: 'PutSecretValue' }, { kind: 'error' })
    on.aws.faults.add({ service: 'lambda' }, { kind: 'error', status: 500 })

    const left = await visit(handler, event, working(10_000))
    const { Status, Reason } = await answered
    const { certificates } = await news(before)

    expect(left).toEqual({ status: 'FAILED' })
    expect(Status).toBe('FAILED')
    expect(Reason).toMatch(/^SERVICE_UNAVAILABLE: cannot store version .* InternalServiceError/)
    expect(certificates).toEqual([])
    expect((await on.kept('alone')).deleted).toBe(true)
  })

  it('in the end, when it does not take it at first', async () => {
    const before = await on.holdings()
    let refusals = 3
    const bodies: string[] = []
    const ResponseURL = on.aws.route('/refusing/', async ({ body }) => {
      if (refusals-- > 0) return { status: 503 }
      bodies.push(body.toString('utf8'))
      return { status: 200 }
    })
    const { event } = request('refused', { more: { ResponseURL } })

    await expect(visit(handler, event)).rejects.toThrow(/did not take the answer for refused: HTTP/)
    await visit(handler, event)

    expect(bodies).toEqual([expect.stringContaining('"Status":"SUCCESS"')])
    expect((await news(before)).certificates).toHaveLength(1)
    expect((await on.kept('refused')).versions).toHaveLength(1)
  })

  it('naming every bad variable of the environment at once, and no value', async () => {
    const as = { region: HOME }
    const Variables = {
      CERTRELAY_ORG: 'what is this?!',
      CERTRELAY_KEYS: 'arn:of:nothing',
      CERTRELAY_QUEUE: 'no queue here',
    }
    await on.aws.call(
      'lambda',
      'CreateFunction',
      {
        FunctionName: 'broken',
        Runtime: 'nodejs24.x',
        Handler: 'functions/certificate.handler',
        Role: on.aws.iam.role(on.resources['CertificateRole'] ?? '')?.arn,
        Code: { S3Bucket: 'any', S3Key: 'certificate.zip' },
        Timeout: 60,
        Environment: { Variables },
      },
      as,
    )

    const { Status, Reason } = await on.desk.ask('broken', { properties: on.wish('broken') })

    expect(Status).toBe('FAILED')
    expect(Reason).toMatch(
      /^CONFIG_INVALID: set CERTRELAY_DEAD_LETTERS, CERTRELAY_KEYS, CERTRELAY_ORG, CERTRELAY_QUEUE, CERTRELAY_ROLLOUTS: /,
    )
    for (const value of Object.values(Variables)) expect(Reason).not.toContain(value)
  })
})

describe('one certificate, one secret and one version are there after the lost answer of', () => {
  it.each(['RequestCertificate', 'CreateSecret', 'PutSecretValue', 'TagResource'])(
    '%s',
    async (operation) => {
      const before = await on.holdings()
      const secret = `lost/${operation}`
      const { event, answered } = request(secret)
      await on.elapse(0) // looks at other secrets would use the fault up
      on.aws.faults.add(
        { operation, times: operation === 'RequestCertificate' ? 5 : 3 },
        { kind: 'lost' },
      )

      const left = await visit(handler, event)
      const { Status, Reason, Data } = await answered

      expect(left).toEqual({ status: 'LATER' })
      expect(Status, Reason).toBe('SUCCESS')
      expect(await news(before)).toEqual({
        certificates: [Data['CertificateArn']],
        secrets: [Data['SecretArn']],
      })
      expect((await on.kept(secret)).versions).toEqual([Data['VersionId']])
    },
  )

  it.each(['UpdateSecretVersionStage', 'DeleteCertificate'])(
    '%s in an update',
    async (operation) => {
      const before = await on.holdings()
      const secret = `lost/${operation}`
      const first = request(secret)
      await visit(handler, first.event)
      const { PhysicalResourceId: physicalId, Data: old } = await first.answered
      const properties = on.wish(secret, { Name: 'blue.mesh.internal' })
      const former = on.wish(secret)
      const { event, answered } = request(secret, {
        type: 'Update',
        physicalId,
        former,
        properties,
      })
      await on.elapse(0)
      on.aws.faults.add({ operation, times: 3 }, { kind: 'lost' })

      await visit(handler, event)
      const { Status, Reason, Data } = await answered

      expect(Status, Reason).toBe('SUCCESS')
      expect(await news(before)).toEqual({
        certificates: [Data['CertificateArn']],
        secrets: [physicalId],
      })
      expect((await on.kept(secret)).labels).toMatchObject({
        AWSCURRENT: Data['VersionId'],
        AWSPREVIOUS: old['VersionId'],
      })
    },
  )
})

// last: Lambda would freeze what hangs, and here it wakes up again after the client's ten seconds
describe('work that does not end in the time of its invocation goes on in a fresh one', () => {
  it('when ACM hangs', async () => {
    const before = await on.holdings()
    const { event, answered, answers } = request('hanging')
    on.aws.faults.add(
      { service: 'acm', operation: 'RequestCertificate', times: 1 },
      { kind: 'hang' },
    )

    const left = await visit(handler, event, working(300))
    const answer = await answered

    expect(left).toEqual({ status: 'LATER' })
    expect(answer.Status, answer.Reason).toBe('SUCCESS')
    expect((await on.bundle('hanging')).facts.source).toBe(answer.Data['CertificateArn'])
    expect((await news(before)).certificates).toEqual([answer.Data['CertificateArn']])
    expect(answers()).toHaveLength(1)
  })

  it('when ACM is slow to issue', async () => {
    gate = Promise.withResolvers()
    const before = await on.holdings()
    const { event, answered, answers } = request('slow')

    const left = await visit(handler, event, working(300))
    const waiting = [await news(before), [...answers()]]
    gate.resolve()
    const answer = await answered

    expect(left).toEqual({ status: 'LATER' })
    expect(waiting).toEqual([{ certificates: [expect.any(String)], secrets: [] }, []])
    expect(answer.Status, answer.Reason).toBe('SUCCESS')
    expect((await news(before)).certificates).toEqual([answer.Data['CertificateArn']])
  })
})
