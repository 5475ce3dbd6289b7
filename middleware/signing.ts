import type { Context } from '../pki/sealed.ts'
import type { Owner, Pen, Pens, Turned, Use } from '../ports/keys.ts'
import { compared, conduct, failure, incorrect, type Surroundings, verdict } from './conduct.ts'
import { race } from './race.ts'

/**
 * Signs with the first region that answers, under the same rules as opening: one that is unavailable is passed over, any other
 * failure ends the search. A signature that does not prove itself is a security event, and never leaves.
 */
export function pens(penOf: (key: string) => Pen, around: Surroundings): Pens {
  const regionsOf = (holders: readonly Pen[]) => new Set(holders.map(({ region }) => region))
  return {
    async sign({ keys, signing, message, context, proves, owner }, hear) {
      const holders = keys.map(penOf)
      const regions = regionsOf(holders)
      const { line, rules } = conduct(around, { action: 'sign', context, regions, hear })
      const routes = holders.map((one) =>
        compared(
          one,
          async (use) => {
            await belongs(one, use, owner)
            return one.sign({ signing, message }, use)
          },
          ({ bytes }) => proves(bytes),
        ),
      )
      const raced = await race(routes, rules)
      if (raced.won !== undefined) {
        line.end('ok', raced.attempts, raced.won.route.region)
        return raced.won.turned.bytes
      }
      line.end(verdict(raced.failures), raced.attempts)
      throw failure('sign', context, raced)
    },
    publicKeys: ({ keys, context }) =>
      Promise.all(
        keys.map((key) =>
          told(penOf(key), around, { context, ask: (one, use) => one.publicKey(use) }),
        ),
      ),
    async tags(name, { keys, context }) {
      const ask = (one: Pen, use: Use) => one.tag(name, use)
      const all = keys.map((key) => told(penOf(key), around, { context, ask }))
      return (await Promise.all(all)).map((bytes) => Buffer.from(bytes).toString('utf8'))
    },
    async untag(name, { keys, context }) {
      const ask = (one: Pen, use: Use) => one.untag(name, use)
      await Promise.all(keys.map((key) => told(penOf(key), around, { context, ask })))
    },
  }
}

/** Looks at the tag of a key in the region that is to sign: the others may be out. */
async function belongs(one: Pen, use: Use, owner: Owner | undefined): Promise<void> {
  if (owner === undefined || owner.seen.has(one.key)) return
  const told = await one.tag(owner.tag, use)
  if (Buffer.from(told.bytes).toString('utf8') !== owner.value)
    throw incorrect("the tag of the key is another authority's", told)
  owner.seen.add(one.key)
}

/** What a key is asked of itself, or of its tags. */
interface Question {
  readonly context: Context
  readonly ask: (one: Pen, use: Use) => Promise<Turned>
}

/** Asking for it uses no key: there is no record. */
async function told(
  one: Pen,
  around: Surroundings,
  { context, ask }: Question,
): Promise<Uint8Array> {
  const regions = new Set([one.region])
  const { rules } = conduct(around, { action: 'sign', context, regions })
  const route = compared(
    one,
    (use) => ask(one, use),
    () => true,
  )
  const raced = await race([route], rules)
  if (raced.won === undefined) throw failure('sign', context, raced)
  return raced.won.turned.bytes
}
