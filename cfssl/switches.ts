import type { Allowances } from '../authority/policy.ts'

/**
 * What we do otherwise than CFSSL, each by its name. All are on unless switched off for strict compatibility: for the whole server,
 * or those of certificates also for one profile (docs/authority.md).
 */
export const HARDENINGS = {
  replay: 'a token counts once',
  'clock-skew': 'the timestamp of a request is of now',
  'unknown-profile': 'a profile that does not exist is refused, not replaced by the default one',
  'any-label': 'a label that does not exist is refused, also where there is one CA only',
  'open-newcert': 'newcert is refused where the profile has an auth_key',
  'open-revoke': 'revoke wants a token',
  'any-key-revokes': 'revoke wants the key of a profile that says so',
  'keys-in-clear': 'private keys are sent only over TLS, or to this machine',
  'doubled-keys': 'a JSON key that comes twice is refused',
  'client-dates': 'dates in a request may shorten what the profile gives, not lengthen it',
  'crl-override': 'crl_override is refused',
  'whitelist-anchors': 'name_whitelist and --mutual-tls-cn have to match the whole name',
  'whitelist-addresses': 'name_whitelist holds for IP addresses too',
  'many-names': 'a certificate has 100 names at most',
  wildcards: 'names with a star are refused',
  'malformed-names': 'names that no client can match are refused',
  'outlive-issuer': 'a certificate ends with its issuer at the latest',
  'copies-replace': 'copied extensions do not replace usages, policies and URLs of the profile',
  'stray-cert-sign': 'only CAs get the usage cert sign',
  'small-exponents': 'RSA keys with a public exponent below 65537 are refused',
} as const satisfies Readonly<Record<string, string>>

export type Hardening = keyof typeof HARDENINGS

/** Those that are switched off. */
export type Compatible = ReadonlySet<Hardening>

export function isHardening(name: string): name is Hardening {
  return Object.hasOwn(HARDENINGS, name)
}

/** The switches of certificates as authority/issue.ts knows them. */
export function allowancesOf(off: Compatible): Partial<Allowances> {
  const on = (name: Hardening) => off.has(name)
  return {
    ...(on('many-names') && { mostNames: Number.MAX_SAFE_INTEGER }),
    ...(on('wildcards') && { wildcards: true }),
    ...(on('malformed-names') && { malformedNames: true }),
    ...(on('whitelist-addresses') && { unlistedAddresses: true }),
    ...(on('crl-override') && { crlOverride: true }),
    ...(on('outlive-issuer') && { outliveIssuer: true }),
    ...(on('copies-replace') && { copiesReplace: true }),
    ...(on('stray-cert-sign') && { strayCertSign: true }),
    ...(on('small-exponents') && { smallExponents: true }),
  }
}
