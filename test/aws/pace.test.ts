import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ACMClient, DescribeCertificateCommand } from '@aws-sdk/client-acm'
import { ACMPCAClient, DescribeCertificateAuthorityCommand } from '@aws-sdk/client-acm-pca'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Pace, pace } from '../../aws/pace.ts'
import { buckets, RATES } from '../../aws/rates.ts'
import { type Local, start } from '../../local/index.ts'
import { bucket } from '../../pki/bucket.ts'
import { client } from '../support/client.ts'
import { recorder } from '../support/recorder.ts'

describe('a bucket', () => {
  test('gives its burst at once, and one turn after the other from then on', () => {
    const { take } = bucket({ rate: 5, burst: 3 })

    expect([take(0), take(0), take(0), take(0), take(0)]).toEqual([0, 0, 0, 200, 400])
    expect(take(1_000)).toBe(0)
    expect([take(9_000), take(9_000), take(9_000), take(9_000)]).toEqual([0, 0, 0, 200])
  })

  test('keeps a turn that comes too late for whoever can wait', () => {
    const { take } = bucket({ rate: 1, burst: 1 })

    expect([take(0), take(0, 999), take(0, 1_000), take(0, 1_999)]).toEqual([
      0,
      undefined,
      1_000,
      undefined,
    ])
  })

  test('never lets more through than burst and rate allow, in any stretch of time', () => {
    const asks = fc.array(fc.nat({ max: 2_000 }), { minLength: 2, maxLength: 60 })
    const rate = fc.record({
      rate: fc.integer({ min: 1, max: 50 }),
      burst: fc.integer({ min: 1, max: 20 }),
    })
    fc.assert(
      fc.property(asks, rate, (gaps, limits) => {
        const { take } = bucket(limits)
        let now = 0
        const at = gaps.map((gap) => {
          now += gap
          return now + (take(now) ?? 0)
        })
        for (const [first, begin] of at.entries()) {
          for (const [last, end] of at.entries()) {
            if (last < first) continue
            const most = limits.burst + ((end - begin) / 1_000) * limits.rate
            expect(last - first + 1).toBeLessThanOrEqual(most + 1e-6)
          }
        }
      }),
    )
  })
})

describe('the rates', () => {
  const AWS = join(import.meta.dirname, '..', '..', 'aws')
  const sources = readdirSync(AWS, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(AWS, name), 'utf8'))
    .join('\n')

  test.each(RATES.flatMap(({ operations }) => operations))('%s is an operation of ours', (name) => {
    expect(sources).toContain(`new ${name}Command(`)
  })

  test('environments together stay within the account, lose nothing to jitter, and go apart', () => {
    const share = 4
    const sent: number[] = []
    for (let one = 0; one < share; one++) {
      const turns = buckets(share).get('ExportCertificate')
      let chance = one / share
      for (let now = 0; now < 60_000; ) {
        const wait = turns?.take(now) ?? 0
        chance = (chance * 7 + 0.13) % 1
        now += wait * (1 + chance / 4)
        sent.push(now)
        now += 40 // the call itself
      }
    }
    sent.sort((a, b) => a - b)
    const busiest = Math.max(
      ...sent.map((at) => sent.filter((to) => to >= at && to < at + 1_000).length),
    )

    expect(sent.length).toBeGreaterThan(295)
    expect(sent.length).toBeLessThanOrEqual(60 * 5 + 7 + share)
    expect(busiest).toBeLessThanOrEqual(10) // what AWS allows an account
  })
})

describe.each(['of today', 'of the older stack'])('a paced client %s', (generation) => {
  const ID = '0b8f2f5e-0c0b-4f0e-9a55-9a1f4f0f6b01'
  const OLD = generation === 'of the older stack'
  const operation = OLD ? 'DescribeCertificateAuthority' : 'DescribeCertificate'
  const share = OLD ? 20 : 10 // one a second is left
  let aws: Local
  beforeAll(async () => {
    aws = await start()
  })
  beforeEach(() => aws.faults.clear())
  afterAll(() => aws.close())

  /** A client over a clock that only its own sleeping moves. */
  function paced(remaining = 60_000) {
    const { log, lines } = recorder()
    const sleeps: number[] = []
    let now = 0
    const rhythm = {
      now: () => now,
      async sleep(ms: number) {
        sleeps.push(Math.round(ms))
        now += ms
      },
      random: () => 0.4,
    }
    const made = pace(share, { log, remaining: () => remaining - now }, rhythm)
    return { ...(OLD ? older(made) : newer(made)), sleeps, lines }
  }
  const settings = () => ({ ...client(aws), maxAttempts: 3 })
  function newer({ client }: Pace) {
    const acm = client(new ACMClient(settings()))
    const CertificateArn = `arn:aws:acm:us-east-1:111122223333:certificate/${ID}`
    return {
      call: () => acm.send(new DescribeCertificateCommand({ CertificateArn })),
      stack: acm.middlewareStack.identify(),
      end: () => acm.destroy(),
    }
  }
  function older({ client }: Pace) {
    const pca = client(new ACMPCAClient(settings()))
    const arn = `arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/${ID}`
    const ask = { CertificateAuthorityArn: arn }
    return {
      call: () => pca.send(new DescribeCertificateAuthorityCommand(ask)),
      stack: pca.middlewareStack.identify(),
      end: () => pca.destroy(),
    }
  }
  const missing = expect.objectContaining({ name: 'ResourceNotFoundException' })

  test('puts calls off, with jitter, and makes up for it', async () => {
    const { call, end, sleeps } = paced()
    for (let at = 0; at < 3; at++) await expect(call()).rejects.toThrow(missing)
    end()

    expect(sleeps).toEqual([1_100, 990])
  })

  test('paces every attempt, and counts throttles', async () => {
    aws.faults.add({ operation, times: 1 }, { kind: 'throttle' })
    const { call, end, sleeps, lines } = paced()
    await expect(call()).rejects.toThrow(missing)
    end()

    expect(sleeps).toEqual([1_100])
    expect(lines).toEqual([{ level: 'count', event: 'Throttled', fields: { operation, value: 1 } }])
  })

  test('sends nothing when the turn comes after the invocation', async () => {
    const { call, end, sleeps, lines } = paced(5_500)
    await expect(call()).rejects.toThrow(missing)
    aws.faults.add({ operation }, { kind: 'throttle' }) // would be counted

    await expect(call()).rejects.toThrow(
      expect.objectContaining({
        code: 'SERVICE_UNAVAILABLE',
        message: `${operation} has no turn in the time of this invocation; it is tried again`,
      }),
    )
    end()
    expect([sleeps, lines]).toEqual([[], []])
  })

  test('waits within the retries and before the signature', () => {
    const { stack, end } = paced()
    const at = (name: RegExp) => stack.findIndex((one) => name.test(one))
    end()

    expect(at(/^retryMiddleware/)).toBeLessThan(at(/^certrelayPace/))
    expect(at(/^certrelayPace/)).toBeLessThan(at(/^(httpSigning|awsAuth)Middleware/))
  })
})
