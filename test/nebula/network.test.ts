import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { duration } from '../../nebula/duration.ts'
import { covers, networkText, parseNetwork } from '../../nebula/network.ts'
import { net } from './make.ts'

describe('a network', () => {
  test.each([
    ['10.1.1.2/16', '10.1.1.2/16'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['fd00:0:0:1::2/64', 'fd00:0:0:1::2/64'],
    ['FD00:0000:0000:0001:0000:0000:0000:0002/64', 'fd00:0:0:1::2/64'],
    ['::/0', '::/0'],
    ['::1/128', '::1/128'],
    ['1::/16', '1::/16'],
    ['1:0:0:2:0:0:0:3/128', '1:0:0:2::3/128'],
    ['1:0:2:3:4:5:6:7/128', '1:0:2:3:4:5:6:7/128'],
    ['64:ff9b::192.0.2.1/96', '64:ff9b::c000:201/96'],
  ])('%s is read and written as Go writes it', (text, written) => {
    expect(networkText(net(text))).toBe(written)
  })

  test.each([
    '',
    '10.1.1.2',
    '10.1.1.2/',
    '10.1.1.2/33',
    '10.1.1.2/016',
    '10.1.1.2/+1',
    '10.1.1/16',
    '10.1.1.256/16',
    '010.1.1.2/16',
    '10.1.1.2/16/1',
    ' 10.1.1.2/16',
    '::1',
    '::1/129',
    'fe80::1%eth0/64',
    '1::2::3/64',
    '1:2:3:4:5:6:7/64',
    '1:2:3:4:5:6:7:8:9/64',
    '1:2:3:4:5:6:7::8/64x',
    '12345::/16',
    'g::/16',
    '::1.2.3/96',
    '1.2.3.4::/96',
    ':1::/16',
    '1:::2/16',
    '/8',
    ':/8',
  ])('%j is none', (text) => {
    expect(parseNetwork(text)).toBeUndefined()
  })

  test('is read back as it was written', () => {
    const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size })
    fc.assert(
      fc.property(fc.oneof(bytes(4), bytes(16)), fc.nat(32), (address, bits) => {
        expect(parseNetwork(networkText({ address, bits }))).toEqual({ address, bits })
      }),
      { numRuns: 1_000 },
    )
  })

  test('covers what has its first bits and is not larger', () => {
    expect(covers(net('10.1.0.0/16'), net('10.1.9.9/16'))).toBe(true)
    expect(covers(net('10.1.0.0/16'), net('10.1.9.9/15'))).toBe(false)
    expect(covers(net('10.1.0.0/16'), net('10.2.0.0/16'))).toBe(false)
    expect(covers(net('10.1.128.0/17'), net('10.1.127.1/17'))).toBe(false)
    expect(covers(net('10.1.128.0/17'), net('10.1.129.1/24'))).toBe(true)
    expect(covers(net('0.0.0.0/0'), net('255.1.2.3/8'))).toBe(true)
    expect(covers(net('0.0.0.0/0'), net('::1/128'))).toBe(false)
    expect(covers(net('fd00::/8'), net('fdff::1/64'))).toBe(true)
    expect(covers(net('fd00::1/128'), net('fd00::1/128'))).toBe(true)
  })
})

describe('a duration', () => {
  test.each([
    ['8760h', 31_536_000_000],
    ['1h30m', 5_400_000],
    ['90s', 90_000],
    ['1m', 60_000],
  ])('of %s', (text, milliseconds) => {
    expect(duration(text)).toBe(milliseconds)
  })

  test.each(['', '0s', '1', '1d', '-1h', '1.5h', '1h ', 'h', '9999999999h'])(
    'is not %j',
    (text) => {
      expect(duration(text)).toBeUndefined()
    },
  )
})
