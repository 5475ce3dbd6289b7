import { createPrivateKey, type KeyObject } from 'node:crypto'
import { inspect } from 'node:util'

/** A passphrase that stands out wherever it turns up; 43 characters, as real ones have. */
export const PASSPHRASE = 'canary-passphrase-canary-passphrase-canary0'

/** A private key that every certificate of a leak test uses: the one that RFC 7517 prints (A.2), so that it is nobody's. */
export const KEY: KeyObject = createPrivateKey({
  format: 'jwk',
  key: {
    kty: 'EC',
    crv: 'P-256',
    x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
    y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
    d: '870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE',
  },
})

/** The spellings under which the canaries might leave: as they are, base64 (whole, and line by line), hex. */
export function spellings(): readonly string[] {
  const der = KEY.export({ type: 'pkcs8', format: 'der' })
  const pem = KEY.export({ type: 'pkcs8', format: 'pem' }).toString()
  const scalar = Buffer.from('870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE', 'base64url')
  const phrase = Buffer.from(PASSPHRASE)
  return [
    PASSPHRASE,
    ...[phrase, der, scalar].flatMap((bytes) => [
      bytes.toString('hex'),
      bytes.toString('base64'),
      bytes.toString('base64url'),
    ]),
    ...pem.split('\n').filter((line) => line.length >= 16 && !line.startsWith('-----')),
    inspect(new Uint8Array(phrase)).slice(16, 60),
  ]
}

/** Everything that printing a value in any way would show. */
export function seen(value: unknown): string {
  const causes: string[] = []
  for (let at = value; at instanceof Error; at = at.cause) causes.push(at.stack ?? '', at.message)
  return [
    inspect(value, {
      showHidden: true,
      depth: 20,
      maxArrayLength: 1_000,
      maxStringLength: 100_000,
    }),
    JSON.stringify(value) ?? '',
    String(value),
    ...causes,
  ].join('\n')
}

/** The canaries that a value shows; empty when it keeps them. */
export function leaks(value: unknown): readonly string[] {
  const text = seen(value)
  return spellings().filter((spelling) => text.includes(spelling))
}
