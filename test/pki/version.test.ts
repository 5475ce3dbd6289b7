import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  contentId,
  isOurs,
  newestVersion,
  nextVersion,
  plainSerial,
  sameCertificate,
  versionId,
} from '../../pki/version.ts'

const ARN = 'arn:aws:acm:us-east-1:111122223333:certificate/1'
const hex = fc.stringMatching(/^[1-9a-f][0-9a-f]{0,39}$/)

test('a version id is a UUID that Secrets Manager takes as a request token', () => {
  fc.assert(
    fc.property(fc.string(), hex, (source, serial) => {
      const id = versionId(source, serial)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(id.length).toBeGreaterThanOrEqual(32)
      expect(id.length).toBeLessThanOrEqual(64)
    }),
  )
})

test('the same certificate has the same id however its serial is written', () => {
  fc.assert(
    fc.property(hex, (serial) => {
      const even = serial.length % 2 === 0 ? serial : `0${serial}`
      const colons = even.toUpperCase().replace(/(..)(?=.)/g, '$1:')
      expect(versionId(ARN, colons)).toBe(versionId(ARN, serial))
      expect(plainSerial(colons)).toBe(serial)
    }),
  )
})

test('another source, another serial and a content have other ids', () => {
  const ids = [versionId(ARN, '1'), versionId(ARN, '2'), versionId(`${ARN}2`, '1'), contentId('1')]

  expect(new Set(ids).size).toBe(4)
})

test('an id is stable over releases: secrets out there are named by it', () => {
  expect(versionId(ARN, '0A:1B')).toBe('92009cd7-4381-8c8c-ad74-02c3ea254dce')
  expect(contentId('{}')).toBe('eda1b10b-f98c-8c43-a64b-90f5ad3b148e')
})

test('a serial of zeros stays one zero', () => {
  expect(plainSerial('00:00')).toBe('0')
})

test('a version that is stored once more is counted, and is known to hold the same certificate', () => {
  const first = versionId(ARN, '1')
  const third = nextVersion(nextVersion(first))

  expect(third).toBe(`${first}-2`)
  expect(third.length).toBeLessThanOrEqual(64)
  expect(sameCertificate(first, third)).toBe(true)
  expect(sameCertificate(versionId(ARN, '2'), third)).toBe(false)
})

test('the newest version of a certificate is the one that was counted highest', () => {
  const first = versionId(ARN, '1')
  const stored = [
    `${first}-9`,
    first,
    `${first}-10`,
    versionId(ARN, '2'),
    'somebody-elses',
    `${first}-x`,
  ]

  expect(newestVersion(first, stored)).toBe(`${first}-10`)
  expect(newestVersion(versionId(ARN, '3'), stored)).toBe(versionId(ARN, '3'))
})

test('an id of ours is told from those of people and of Secrets Manager', () => {
  fc.assert(
    fc.property(fc.string(), hex, fc.uuid({ version: 4 }), (source, serial, theirs) => {
      const id = versionId(source, serial)
      expect(isOurs(id)).toBe(true)
      expect(isOurs(nextVersion(id))).toBe(true)
      expect(isOurs(theirs)).toBe(false)
      expect(isOurs(id.toUpperCase())).toBe(false)
      expect(isOurs(`${id}x`)).toBe(false)
      expect(isOurs(`x${id}`)).toBe(false)
      expect(isOurs(`${id}-0`)).toBe(false)
    }),
  )
})

test('a version of a rotation is sealed anew under its own id, and is known to hold the same', () => {
  const token = '9c4a3b1e-0a56-4c1c-9d35-6f1f1d0c2b7a'

  expect(newestVersion(token, [token, nextVersion(token)])).toBe(`${token}-1`)
  expect(sameCertificate(token, `${token}-1`)).toBe(true)
})
