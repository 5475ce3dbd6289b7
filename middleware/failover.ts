import { RelayError } from '../pki/error.ts'
import { type Context, keyRegion, type Sealed, subject, twin } from '../pki/sealed.ts'
import { Secret } from '../pki/secret.ts'
import type { Hear, Keyhole, Keys } from '../ports/keys.ts'
import {
  type Action,
  compared,
  conduct,
  failure,
  isUnder,
  onward,
  type Surroundings,
  verdict,
} from './conduct.ts'
import { muster, type Party } from './muster.ts'
import { type Raced, type Route, race } from './race.ts'

const MOST = 4_096 // KMS Encrypt: bytes of plaintext

/**
 * Seals in every region and opens in the first that answers. A region that is unavailable is passed over; any other
 * failure ends the search, because what is refused in one region must not be had through another.
 */
export function failover(keyholes: readonly Keyhole[], around: Surroundings): Keys {
  const { options = {}, memory, time } = around
  const current = keyholes.filter(({ former }) => former !== true)
  const groups = [...Map.groupBy(current, ({ key }) => twin(key)).values()]
  const least = Math.max(1, options.minRegions ?? current.length)
  const regions = new Set(keyholes.map(({ region }) => region))
  const goesOn = onward(around)
  const begin = (action: Action, context: Context, hear?: Hear) =>
    conduct(around, { action, context, regions, hear })

  /** What came of asking some keys to seal; the copies in the configured order. */
  const settle = (raced: readonly (Raced & { readonly group: readonly Keyhole[] })[]) => {
    const failures = raced.flatMap((one) => (one.won === undefined ? one.failures : []))
    return {
      raced,
      failures,
      attempts: raced.flatMap((one) => one.attempts),
      stopped: failures.some(({ meaning }) => !goesOn(meaning)),
      copies: current.flatMap((hole) => {
        const bytes = raced.find(({ group }) => group.includes(hole))?.won?.turned.bytes
        return bytes === undefined
          ? []
          : [{ key: hole.key, blob: Buffer.from(bytes).toString('base64') }]
      }),
    }
  }

  return {
    keys: current.map(({ key }) => key),
    async seal(secret, context) {
      const { line, rules } = begin('seal', context)
      if (secret.reveal().length > MOST) {
        line.end('refused', [])
        throw new RelayError(
          'SEALED_INVALID',
          `more than ${MOST} bytes cannot be sealed; KMS takes no more`,
        )
      }
      const ask = async ({ group, patience }: Party) => {
        const routes = group.map((hole) =>
          compared(hole, (use) => hole.encrypt(secret.reveal(), context, use), isUnder(context)),
        )
        return { group, ...(await race(routes, { ...rules, patience })) }
      }
      const { asked, spared } = muster(groups, least, memory, time.now())
      const first = settle(await Promise.all(asked.map(ask)))
      const isOver = first.stopped || first.copies.length >= least
      const { copies, failures, attempts, stopped } = isOver
        ? first
        : settle([...first.raced, ...(await Promise.all(spared.map(ask)))])
      if (stopped || copies.length < least) {
        line.end(verdict(failures), attempts)
        throw failure('seal', context, { failures, attempts })
      }
      line.end(copies.length < current.length ? 'degraded' : 'ok', attempts)
      return { v: 1, copies }
    },
    async open(sealed, context, hear) {
      const { line, rules } = begin('open', context, hear)
      const routes = passage(sealed, keyholes, context, () => line.end('refused', []))
      const { won, failures, attempts } = await race(routes, rules)
      if (won !== undefined) {
        line.end('ok', attempts, won.route.region)
        return Secret.of(won.turned.bytes)
      }
      line.end(verdict(failures), attempts)
      throw failure('open', context, { failures, attempts })
    },
  }
}

/** The keys that can open a value, in the configured order. A key that is not configured is refused before any call. */
function passage(
  { copies }: Sealed,
  keyholes: readonly Keyhole[],
  context: Context,
  refuse: () => void,
): Route[] {
  const unknown = copies.filter(({ key }) => !keyholes.some((hole) => hole.key === key))
  if (unknown.length > 0 || copies.length === 0) {
    refuse()
    const regions = unknown.map(({ key }) => keyRegion(key)).join(', ')
    throw new RelayError(
      'SEALED_INVALID',
      `the ${subject(context)} is sealed under keys that are not configured (regions ${regions}); add them to CERTRELAY_KEYS, or to CERTRELAY_FORMER_KEYS`,
    )
  }
  return keyholes.flatMap((hole) => {
    const copy = copies.find(({ key }) => key === hole.key)
    if (copy === undefined) return []
    const blob = Buffer.from(copy.blob, 'base64')
    return [compared(hole, (use) => hole.decrypt(blob, context, use), isUnder(context))]
  })
}
