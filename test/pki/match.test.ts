import { describe, expect, test } from 'vitest'
import { matches, type Wanted } from '../../pki/match.ts'
import type { GeneralName } from '../../pki/names.ts'

const NAMES: readonly GeneralName[] = [
  { form: 'dns', value: 'A.Example.com' },
  { form: 'dns', value: '*.wild.example.com' },
  { form: 'ip', value: Uint8Array.of(10, 0, 0, 1) },
  { form: 'ip', value: Uint8Array.from([0x20, 1, 0x0d, 0xb8, ...Array<number>(11).fill(0), 1]) },
  { form: 'uri', value: 'spiffe://mesh.example.com/color' },
  { form: 'email', value: 'Ops@Example.com' },
]

describe('a name that is wanted', () => {
  test.each<[string, Wanted, boolean]>([
    ['a host, without case', { form: 'dns', value: 'a.example.COM' }, true],
    ['another host', { form: 'dns', value: 'b.example.com' }, false],
    ['one label for the star', { form: 'dns', value: 'x.wild.example.com' }, true],
    ['two labels for the star', { form: 'dns', value: 'x.y.wild.example.com' }, false],
    ['no label for the star', { form: 'dns', value: 'wild.example.com' }, false],
    ['a star is no host', { form: 'dns', value: '*.wild.example.com' }, false],
    ['an address is no host', { form: 'dns', value: '10.0.0.1' }, false],
    ['IPv4', { form: 'ip', value: '10.0.0.1' }, true],
    ['another IPv4', { form: 'ip', value: '10.0.0.2' }, false],
    ['IPv4 with a leading zero', { form: 'ip', value: '10.0.0.01' }, false],
    ['IPv4 with too much in an octet', { form: 'ip', value: '10.0.0.257' }, false],
    ['IPv6 in short', { form: 'ip', value: '2001:db8::1' }, true],
    ['IPv6 at length', { form: 'ip', value: '2001:0DB8:0:0:0:0:0:1' }, true],
    ['IPv6 with an IPv4 tail', { form: 'ip', value: '2001:db8::0.0.0.1' }, true],
    ['IPv6 with two gaps', { form: 'ip', value: '2001::db8::1' }, false],
    ['a host is no address', { form: 'ip', value: 'a.example.com' }, false],
    ['a SPIFFE id', { form: 'uri', value: 'spiffe://mesh.example.com/color' }, true],
    [
      'a SPIFFE id with another case',
      { form: 'uri', value: 'spiffe://mesh.example.com/Color' },
      false,
    ],
    ['a SPIFFE id above it', { form: 'uri', value: 'spiffe://mesh.example.com' }, false],
    ['a mailbox, the host without case', { form: 'email', value: 'Ops@example.COM' }, true],
    ['a mailbox with another user', { form: 'email', value: 'ops@example.com' }, false],
  ])('%s', (_, wanted, expected) => {
    expect(matches(NAMES, wanted)).toBe(expected)
  })
})
