import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { AuthKey } from '../authority/policy.ts'

/** A key of `auth_keys`, type `standard`: HMAC-SHA-256. Node keeps the bytes, and prints none of them. */
export type TokenKey = KeyObject

export function tokenKey(bytes: Uint8Array): TokenKey {
  return createSecretKey(bytes)
}

/** HMAC-SHA-256 over the request's bytes and what is added to them (cloudflare/cfssl, auth/auth.go). */
export function token(key: TokenKey, request: Uint8Array, added?: Uint8Array): Buffer {
  const hmac = createHmac('sha256', key).update(request)
  return (added === undefined ? hmac : hmac.update(added)).digest()
}

/** What opens `authsign`; comparing takes as long for a wrong token as for the right one. */
export function authKey(name: string, key: TokenKey): AuthKey {
  return {
    name,
    verify: (request, given) => {
      const wanted = token(key, request)
      return given.length === wanted.length && timingSafeEqual(wanted, given)
    },
  }
}

/** The header that binds a request to its time: hex of `token(stamped(timestamp, request))`. */
export const TIME_HEADER = 'certrelay-time-token'

/**
 * What the token in `TIME_HEADER` is made over. CFSSL's own token leaves the timestamp out, so that it can be changed; a
 * request that has to have this one (`timed` in a profile) cannot be replayed later: where it need not, who replays leaves it out.
 *
 * @param timestamp seconds since 1970
 */
export function stamped(timestamp: number, request: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`certrelay time 1\n${timestamp}\n`), request])
}
