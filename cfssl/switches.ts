/**
 * What we do otherwise than CFSSL, each by its name: what CFSSL does, and what it costs. All are on unless switched off for strict
 * compatibility (docs/authority.md).
 */
export const HARDENINGS = {
  replay: 'a token counts once',
  'clock-skew': 'the timestamp of a request is of now',
  'unknown-profile': 'a profile that does not exist is refused, not replaced by the default one',
  'any-label': 'a label that does not exist is refused, also where there is one CA only',
  'client-dates': 'dates in a request count only where the profile has allow_client_dates',
  'crl-override': 'crl_override counts only where the profile has allow_crl_override',
  'whitelist-anchors': 'name_whitelist has to match the whole name',
  'whitelist-addresses': 'name_whitelist holds for IP addresses too',
  'open-newcert': 'newcert is refused where the profile has an auth_key',
  'open-revoke': 'revoke wants a token',
  'keys-in-clear': 'private keys are sent only over TLS, or to this machine',
  'doubled-keys': 'a JSON key that comes twice is refused',
} as const satisfies Readonly<Record<string, string>>

export type Hardening = keyof typeof HARDENINGS

/** Those that are switched off. */
export type Compatible = ReadonlySet<Hardening>

export function isHardening(name: string): name is Hardening {
  return Object.hasOwn(HARDENINGS, name)
}
