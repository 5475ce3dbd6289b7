import { type Bundle, parseBundle } from '../../pki/bundle.ts'
import { isDeployed } from '../../pki/labels.ts'
import { sameCertificate } from '../../pki/version.ts'
import type { Acm } from './authority.ts'
import type { Ecs, Service, Tasks } from './fleet.ts'
import type { Run } from './loop.ts'
import { fits, type Material } from './material.ts'
import { isOwn, namesOf, type Own, own } from './own.ts'
import { holder, type Kept, type Shelf, type Watch } from './secrets.ts'
import { type Signer, sameWish } from './signer.ts'
import type { World } from './world.ts'

const DAY = 86_400_000
const MINUTE = 60_000
/** A certificate must not end in use when AWS answered for so long before. */
const REACHED = 7 * DAY
/** A service whose deployments succeed again, and end, has a certificate that lasts within so long: one is tried daily. */
const WELL = 2 * DAY
/** Of the stored versions: so many are looked at with real cryptography, besides the check that certrelay makes itself. */
const SHARE = 0.2

/** What must always hold; the first breach ends a run. */
export interface Rules extends Watch {
  /** Of certrelay, not of people. */
  deployed(run: Run, service: string, about: Asked | undefined): void
  /** The certificate that a version holds. */
  material(secret: string, version: string): Material | undefined
  /** An authority of certrelay's own is asked to sign for a name. */
  asked(name: string): void
  /** Reads what tasks read, and looks at it again when it ends. */
  read(secret: string): string
  leaks(event: string, fields: Readonly<Record<string, unknown>>): void
  /** A metric: the pages for an end hang on one. */
  counted(metric: string, value: number): void
  /** After all misfortune has ended and time has passed. */
  settled(): void
}

/** The request that a deployment is made for. */
export interface Asked {
  readonly service: string
  readonly secret: string
  readonly version: string
  readonly since: number
}

interface Facts {
  readonly material: Material | undefined
  /** Everything in it belongs together. */
  readonly whole: boolean
}

/** What is made for them is only known later. */
interface About {
  readonly shelf: () => Shelf
  readonly acm: () => Acm
  readonly signer: () => Signer
  readonly ecs: () => Ecs
  /** Milliseconds. */
  readonly coalesce: number
}

export function rules(world: World, { shelf, acm, signer, ecs, coalesce }: About): Rules {
  const { loop, dice } = world
  const facts = new Map<string, Facts>()
  const refused = new Set<string>()
  const rolled = new Set<string>()
  const began = new Map<string, number>()
  const watched = new Set<string>()
  let sweeps = 0
  const key = (secret: string, version: string) => `${secret} ${version}`
  const material = (secret: string, version: string) => facts.get(key(secret, version))?.material
  const ours: Own = own(world, signer, material)

  function promoted(kept: Kept, from: string | undefined, to: string): void {
    const { arn } = kept
    world.note('AWSCURRENT', arn, to)
    if (refused.has(key(arn, to))) world.fail(`${to} of ${arn} was rejected and is current`)
    const found = facts.get(key(arn, to))
    if (found?.whole !== true)
      world.fail(`${to} of ${arn} is current, and its parts do not belong together`)
    const before = from === undefined ? undefined : material(arn, from)
    const after = found?.material
    if (before === undefined || after === undefined || after.notAfter >= before.notAfter) return
    const back = holder(kept, 'ROLLEDBACK') === from
    if (!back) world.fail(`the end of ${arn} moved back without a rollback`)
  }

  function rejected({ arn, held }: Kept, version: string): void {
    refused.add(key(arn, version))
    const { whole, material: found } = facts.get(key(arn, version)) ?? {}
    if (whole !== true || found === undefined || found.notAfter <= loop.now()) return
    if (found.name === namesOf(held))
      world.fail(`${version} of ${arn} is rejected, and its parts belong together`)
  }

  /** Looks at the end of a certificate whether it is still in use. */
  function end(secret: string, version: string): void {
    const own = material(secret, version)
    const name = key(secret, version)
    if (own === undefined || watched.has(name)) return
    watched.add(name)
    loop.at(own.notAfter, () => over(secret, version))
  }

  /** It has ended: nothing may run with it, but for as long as AWS did not answer or deployments fail or do not end, and a little longer. */
  function over(secret: string, version: string): void {
    const now = loop.now()
    const users = [...ecs().services.values()].filter((service) =>
      ecs()
        .running(service)
        .some((tasks) => tasks.get(secret) === version),
    )
    const outs = world.weather.outages.filter(({ from }) => from < now)
    const kept = shelf().kept.get(secret)
    const strike = kept !== undefined && isOwn(kept) ? ours.excused(kept) : 0
    const out = Math.max(...outs.map(({ to }) => to + REACHED), strike)
    const excused = ({ sick, slow }: Service) => Math.max(out, Math.max(sick, slow) + WELL)
    const guilty = users.find((service) => excused(service) < now)
    if (guilty !== undefined)
      world.fail(`${guilty.name} runs with ${version} of ${secret}, which has ended`)
    else if (users.length > 0)
      loop.at(Math.min(...users.map(excused)) + 1, () => over(secret, version))
    else watched.delete(key(secret, version))
  }

  return {
    material,
    stored(kept, version) {
      const content = kept.versions.get(version)?.content ?? ''
      const bundle = parseBundle(content)
      facts.set(key(kept.arn, version), weigh(world, kept, bundle, dice.chance(SHARE)))
      if (isOwn(kept)) ours.stored(kept, version, bundle)
    },
    moved(kept, label, from, to) {
      if (label === 'AWSCURRENT' && to !== undefined) promoted(kept, from, to)
      if (label === 'REJECTED' && to !== undefined) rejected(kept, to)
      if (label === 'DEPLOYED' && to !== undefined) {
        world.counts.deployed++
        proven(world, ecs(), kept, to)
      }
    },
    deployed(_, service, about) {
      const now = loop.now()
      const last = began.get(service) ?? -Infinity
      began.set(service, now)
      world.counts.deployments++
      world.note('deployment', service, about?.version)
      if (now - last < coalesce)
        world.fail(`two deployments of ${service} within ${Math.round((now - last) / 1000)} s`)
      const once = `${service} ${about?.secret} ${about?.version} ${about?.since}`
      if (rolled.has(once)) world.fail(`a second deployment of ${service} for one promotion`)
      rolled.add(once)
    },
    asked(name) {
      const kept = [...shelf().kept.values()].find(({ held }) => sameWish(namesOf(held), name))
      if (kept === undefined)
        world.fail(`an authority is asked to sign for ${name}, and nobody has it`)
      else ours.asked(kept)
    },
    read(secret) {
      const kept = shelf().kept.get(secret)
      const version = (kept && holder(kept, 'AWSCURRENT')) ?? ''
      end(secret, version)
      return version
    },
    leaks(event, fields) {
      for (const value of [event, ...Object.values(fields)])
        if (
          typeof value === 'string' &&
          /canary-passphrase|GCSqGSIb3DQEFDT|PRIVATE KEY/.test(value)
        )
          world.fail(`a log line ${event} holds material`)
    },
    counted(metric, value) {
      if (metric === 'DaysToExpiry' && sweeps++ % LOOKED === 0) paged(world, ecs(), material, value)
    },
    settled() {
      for (const kept of shelf().kept.values()) calm(world, acm(), ecs(), kept, material)
    },
  }
}

/** Whether what is stored belongs together: certificate, chain, key, passphrase, facts. */
function weigh(world: World, kept: Kept, bundle: Bundle, real: boolean): Facts {
  const { certificate, privateKey, passphrase, facts, chain, anchors } = bundle
  const material = world.issued.get(certificate)
  if (material === undefined) return { material, whole: false }
  const phrase = passphrase && Buffer.from(passphrase.reveal()).toString()
  const keys = phrase === undefined ? [...material.keys.values()] : [material.keys.get(phrase)]
  const whole =
    keys.includes(privateKey) &&
    facts.serial === material.serial &&
    facts.source === kept.source &&
    chain.split('BEGIN').length === 2 &&
    anchors === material.root &&
    sameWish(material.name, namesOf(kept.held)) &&
    !world.spoiled.has(material.serial)
  if (real && phrase !== undefined && whole !== (fits(certificate, privateKey, phrase) && whole))
    world.fail(`real cryptography finds another thing about a version of ${kept.arn}`)
  return { material, whole }
}

/** A version is only called deployed when every service that runs has it. */
function proven(world: World, ecs: Ecs, kept: Kept, version: string): void {
  for (const name of kept.services) {
    const service = ecs.services.get(name)
    if (service?.state !== 'active') continue
    const read = service.tasks.get(kept.arn)
    if (read !== undefined && !sameCertificate(read, version))
      world.fail(`${version} of ${kept.arn} is called deployed, and ${name} runs with ${read}`)
  }
}

type Find = Rules['material']

/** Certificates that live longer page at 14, 7, 3 and 1 days (pki/fresh.ts); shorter ones only when their renewal is late. */
const LONG = 84 * DAY
/** Of so many sweeps one is looked at. */
const LOOKED = 5
const PAGES = 14

/** A sweep says how many days the certificates have that tasks run with, and not those of certificates that they have yet to get. */
function paged(world: World, ecs: Ecs, find: Find, days: number): void {
  if (days < 0) return
  const now = world.loop.now()
  for (const service of ecs.services.values())
    for (const [secret, version] of ecs.running(service).flatMap((tasks) => [...tasks])) {
      const { notBefore = 0, notAfter = Infinity } = find(secret, version) ?? {}
      const left = Math.floor((notAfter - now) / DAY)
      if (notAfter - notBefore > LONG && left < PAGES && days > left + 1)
        world.fail(
          `a sweep finds ${days} days left, and ${service.name} runs with ${version} of ${secret}, which has ${left}`,
        )
    }
}

/** One version that is current, proven, in use, and the newest that ACM has (or ACM's does not fit). */
function calm(world: World, acm: Acm, ecs: Ecs, kept: Kept, find: Find): void {
  const { arn, source, services } = kept
  const current = holder(kept, 'AWSCURRENT') ?? ''
  const newest = acm.issues.get(source)
  const own = find(arn, current)
  const wanted = newest?.material.serial
  if (isOwn(kept)) latest(world, kept, find)
  else if (own?.serial !== wanted && newest?.spoil === undefined)
    world.fail(`in the end ${arn} does not have the certificate that ACM has`)
  const active = services.flatMap((name) => ecs.services.get(name) ?? []).filter(isActive)
  if (active.length > 0 && !isDeployed(kept.held.versions))
    world.fail(`in the end ${current} of ${arn} is not deployed`)
  for (const service of active) {
    const all = ecs.running(service).map((tasks: Tasks) => tasks.get(arn) ?? '')
    if (all.some((version) => find(arn, version)?.serial !== own?.serial))
      world.fail(`in the end ${service.name} does not run with ${current} of ${arn}`)
  }
  const [start, end] = ['before', 'after'].map((one) => kept.held.tags[`certrelay:not-${one}`])
  const iso = (at: number) => new Date(at).toISOString()
  if (own !== undefined && (start !== iso(own.notBefore) || end !== iso(own.notAfter)))
    world.fail(`in the end the tags of ${arn} tell another validity than its certificate's`)
  const ended = world.loop.now() + MINUTE
  if ((own?.notAfter ?? 0) < ended) world.fail(`in the end ${arn} has a certificate that is over`)
}

/** Of what certrelay has had signed nothing newer waits, and what is in use was renewed in time. */
function latest(world: World, kept: Kept, find: Find): void {
  const current = find(kept.arn, holder(kept, 'AWSCURRENT') ?? '')
  if (current === undefined) return
  const name = namesOf(kept.held)
  if (current.name !== name) world.fail(`in the end ${kept.arn} is not certified for ${name}`)
  for (const label of ['AWSPENDING', 'ROLLEDBACK']) {
    const other = find(kept.arn, holder(kept, label) ?? '')
    if (
      other !== undefined &&
      other.name === name &&
      other.notBefore > current.notBefore &&
      !world.spoiled.has(other.serial)
    )
      world.fail(`in the end ${kept.arn} does not have the newest of its certificates`)
  }
  const { notBefore, notAfter } = current
  const left = Math.min(14 * DAY, (notAfter - notBefore) / 3) - 2 * DAY
  if (notAfter - world.loop.now() < left)
    world.fail(`in the end ${kept.arn} was not renewed in time`)
}

function isActive({ state }: Service): boolean {
  return state === 'active'
}
