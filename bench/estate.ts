import { encodeBundle, facts } from '../pki/bundle.ts'
import type { Running } from '../pki/rollout.ts'
import { Secret } from '../pki/secret.ts'
import { readTags, writeTags } from '../pki/tags.ts'
import { versionId } from '../pki/version.ts'
import type { Certificate, Exported } from '../ports/authority.ts'
import type { Held } from '../ports/vault.ts'
import { LIFE, type Material, type Mint, NAMES, PHRASES } from '../test/simulation/material.ts'
import { CA, DAY, START } from '../test/support/fakes.ts'

const SECRET = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:fleet/'
const SOURCE = 'arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-'
const PHRASE = PHRASES[0] ?? ''
/** Every certificate is this old: renewal is due for all. */
const AGE = 275 * DAY

/** What has become of a secret. */
const OLD = 0
const STAGED = 1
const CURRENT = 2
const DEPLOYED = 3

/**
 * Many secrets, each with a certificate and a service of its own, in a few bytes each: what AWS would say of them is made when
 * it is asked, so that the memory of the process is that of the functions and of the queues.
 */
export interface Estate {
  readonly size: number
  secret(nth: number): string
  source(nth: number): string
  service(nth: number): string
  /** Which one a name means. */
  nth(name: string): number
  held(nth: number): Held
  describe(nth: number): Certificate
  exported(): Exported
  content(nth: number): Secret
  put(nth: number): void
  move(nth: number, label: string): void
  tag(nth: number, tags: Readonly<Record<string, string>>): void
  renewing(nth: number): void
  renewed(nth: number): void
  roll(nth: number, now: number): void
  ended(nth: number): void
  look(nth: number, since: number): Running
  readonly root: string
  /** How many have come so far. */
  readonly count: { current: number; deployed: number; deployments: number }
}

export function estate(size: number, mint: Mint): Estate {
  const old = mint.make(1, START - AGE)
  const fresh = mint.make(2, START)
  const state = new Uint8Array(size)
  const acm = new Uint8Array(size) // 0 old, 1 renewing, 2 renewed
  const promoted = new Float64Array(size).fill(START - AGE)
  const looked = new Float64Array(size).fill(START - 2 * DAY)
  const began = new Float64Array(size)
  const ended = new Uint8Array(size)
  const count = { current: 0, deployed: 0, deployments: 0 }
  const name = (nth: number) => String(nth).padStart(12, '0')
  const source = (nth: number) => `${SOURCE}${name(nth)}`
  const id = (nth: number, { serial }: Material) => versionId(source(nth), serial)
  const material = (nth: number) => (at(state, nth) >= CURRENT ? fresh : old)
  const own = facts('', fresh.certificate)
  const issuer = mint.chain.split(/(?<=-----END CERTIFICATE-----\n)/)[0] ?? ''
  const key = fresh.keys.get(PHRASE) ?? ''

  function tags(nth: number): Record<string, string> {
    const { notBefore, notAfter } = material(nth)
    const version = id(nth, material(nth))
    return writeTags({
      source: source(nth),
      services: [`fleet/service-${name(nth)}`],
      promoted: { version, at: at(promoted, nth) },
      notBefore,
      notAfter,
      looked: at(looked, nth),
    })
  }

  function versions(nth: number): Map<string, readonly string[]> {
    const [before, after] = [id(nth, old), id(nth, fresh)]
    const own = at(state, nth)
    if (own === OLD) return new Map([[before, ['AWSCURRENT', 'DEPLOYED']]])
    if (own === STAGED)
      return new Map([
        [before, ['AWSCURRENT', 'DEPLOYED']],
        [after, ['AWSPENDING']],
      ])
    const proven = own === DEPLOYED
    return new Map([
      [before, proven ? ['AWSPREVIOUS'] : ['AWSPREVIOUS', 'DEPLOYED']],
      [after, ['AWSPENDING', 'AWSCURRENT', ...(proven ? ['DEPLOYED'] : [])]],
    ])
  }

  return {
    size,
    count,
    root: mint.root,
    secret: (nth) => `${SECRET}${name(nth)}-AbCdEf`,
    source,
    service: (nth) => `fleet/service-${name(nth)}`,
    nth: (text) => Number(/\d{12}(?=-AbCdEf$|$)/.exec(text)?.[0] ?? -1),
    held(nth) {
      const arn = `${SECRET}${name(nth)}-AbCdEf`
      const rest = { deleted: false, rotating: false, replicas: [] }
      return { arn, name: name(nth), tags: tags(nth), versions: versions(nth), ...rest }
    },
    describe(nth) {
      const { serial, notBefore, notAfter } = at(acm, nth) === 2 ? fresh : old
      const rest = { names: NAMES, keyAlgorithm: 'EC_prime256v1', authority: CA }
      const renewing = at(acm, nth) === 1
      return { arn: source(nth), status: 'issued', serial, notBefore, notAfter, renewing, ...rest }
    },
    exported: () => ({ certificate: fresh.certificate, chain: mint.chain, privateKey: key }),
    content(nth) {
      return encodeBundle({
        format: 1,
        certificate: fresh.certificate,
        chain: issuer,
        anchors: mint.root,
        privateKey: key,
        passphrase: Secret.from(PHRASE),
        facts: { ...own, source: source(nth) },
      })
    },
    put(nth) {
      if (at(state, nth) === OLD) state[nth] = STAGED
    },
    move(nth, label) {
      if (label === 'AWSCURRENT' && at(state, nth) === STAGED) {
        state[nth] = CURRENT
        count.current++
      }
      if (label === 'DEPLOYED' && at(state, nth) === CURRENT) {
        state[nth] = DEPLOYED
        count.deployed++
      }
    },
    tag(nth, given) {
      const { promoted: when, looked: seen } = readTags({ 'certrelay:source': 'x', ...given }) ?? {}
      if (when !== undefined) promoted[nth] = when.at
      if (seen !== undefined) looked[nth] = seen
    },
    renewing(nth) {
      acm[nth] = 1
    },
    renewed(nth) {
      acm[nth] = 2
    },
    roll(nth, now) {
      began[nth] = now
      ended[nth] = 0
      count.deployments++
    },
    ended(nth) {
      ended[nth] = 1
    },
    look(nth, since) {
      const when = at(began, nth)
      const one = { began: when, state: at(ended, nth) === 1 ? 'completed' : 'running' } as const
      return {
        name: `fleet/service-${name(nth)}`,
        state: 'active',
        deployments: when > 0 && when >= since ? [one] : [],
      }
    },
  }
}

/** Every certificate of an estate ends then, epoch milliseconds. */
export const END = START - AGE + LIFE

function at(list: Uint8Array | Float64Array, nth: number): number {
  return list[nth] ?? 0
}
