import { describe, expect, test } from 'vitest'
import { config } from '../../aws/config.ts'

const KEY = 'arn:aws:kms:us-east-1:111122223333:key/1'
const FORMER = 'arn:aws:kms:us-west-2:111122223333:key/2'
const good = {
  AWS_REGION: 'us-east-1',
  AWS_LAMBDA_FUNCTION_NAME: 'certrelay-reconcile',
  CERTRELAY_ORG: 'acme',
  CERTRELAY_KEYS: KEY,
  CERTRELAY_QUEUE: 'https://sqs.us-east-1.amazonaws.com/1/looks',
  CERTRELAY_ROLLOUTS: 'https://sqs.us-east-1.amazonaws.com/1/rollouts.fifo',
  CERTRELAY_DEAD_LETTERS: 'https://sqs.us-east-1.amazonaws.com/1/dead',
}

describe('how passphrases are sealed', () => {
  test('is the policy when nothing is said, or nothing is in it', () => {
    const empty = {
      CERTRELAY_FORMER_KEYS: '',
      CERTRELAY_MIN_REGIONS: '',
      CERTRELAY_ON_DENIED: '',
      CERTRELAY_ON_KEY_STATE: '',
    }
    for (const environment of [good, { ...good, ...empty }]) {
      const { sealing, former } = config(environment)
      expect(Object.values(sealing).filter((one) => one !== undefined)).toEqual([])
      expect(former).toEqual([])
    }
  })

  test('is what an operator says', () => {
    const { keys, former, sealing } = config({
      ...good,
      CERTRELAY_FORMER_KEYS: `${FORMER} ${KEY}`,
      CERTRELAY_MIN_REGIONS: '1',
      CERTRELAY_ON_DENIED: 'next',
      CERTRELAY_ON_KEY_STATE: 'stop',
    })

    expect(keys).toEqual([KEY])
    expect(former).toEqual([FORMER]) // a key that seals is no former one
    expect(sealing).toEqual({ minRegions: 1, onDenied: 'next', onKeyState: 'stop' })
  })

  test.each([
    ['CERTRELAY_FORMER_KEYS', 'alias/mine'],
    ['CERTRELAY_MIN_REGIONS', '0'],
    ['CERTRELAY_MIN_REGIONS', '9'],
    ['CERTRELAY_ON_DENIED', 'yes'],
    ['CERTRELAY_ON_KEY_STATE', 'NEXT'],
  ])('%s=%s is refused by name, without its value', (name, value) => {
    const wrong = () => config({ ...good, [name]: value })

    expect(wrong).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    expect(wrong).toThrow(name)
    expect(wrong).not.toThrow(value)
  })
})

describe('rollouts', () => {
  test('end after half an hour when nothing is said, or after so many minutes', () => {
    const minutes = (CERTRELAY_DEADLINE: string) => config({ ...good, CERTRELAY_DEADLINE }).deadline

    expect(config(good).deadline).toBe(30 * 60_000)
    expect([minutes(''), minutes('5')]).toEqual([30 * 60_000, 5 * 60_000])
    expect(config(good).rollouts).toBe(good.CERTRELAY_ROLLOUTS)
  })

  test.each([
    ['CERTRELAY_DEADLINE', '0'],
    ['CERTRELAY_DEADLINE', '1.5'],
    ['CERTRELAY_DEADLINE', '10000'],
    ['CERTRELAY_ROLLOUTS', 'rollouts.fifo'],
  ])('%s=%s is refused by name, without its value', (name, value) => {
    const wrong = () => config({ ...good, [name]: value })

    expect(wrong).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    expect(wrong).toThrow(name)
    expect(wrong).not.toThrow(`=${value}`)
  })
})

describe('the list of weak keys', () => {
  test('is an object of S3, or none', () => {
    const of = (CERTRELAY_WEAK_KEYS: string) => config({ ...good, CERTRELAY_WEAK_KEYS }).weakKeys

    expect([config(good).weakKeys, of('')]).toEqual([undefined, undefined])
    expect(of('s3://acme-lists/weak/keys.txt')).toEqual({
      ...{ bucket: 'acme-lists', key: 'weak/keys.txt' },
    })
  })

  test.each([
    'acme-lists/keys.txt',
    's3://acme-lists',
    's3://acme-lists/',
    's3://a/k',
    's3://acme-lists/*',
  ])('%s is refused by the name of its variable', (value) => {
    const wrong = () => config({ ...good, CERTRELAY_WEAK_KEYS: value })

    expect(wrong).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    expect(wrong).toThrow('CERTRELAY_WEAK_KEYS')
  })
})
