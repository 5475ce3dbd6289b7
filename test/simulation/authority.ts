import { RelayError } from '../../pki/error.ts'
import type { Certificate, Exported } from '../../ports/authority.ts'
import { CA, DAY } from '../support/fakes.ts'
import { type Material, type Mint, NAMES, PHRASES } from './material.ts'
import type { World } from './world.ts'

const MINUTE = 60_000
const ARN = 'arn:aws:acm:us-east-1:111122223333:certificate/'
/** ACM renews by itself so long before the end, and tells of the end from then on (ACM user guide). */
const BY_ITSELF = 60 * DAY
const TELLS = 45 * DAY

/** What is wrong with what is exported. */
type Spoil = 'chain' | 'key' | 'passphrase' | 'names'
const SPOILS: readonly Spoil[] = ['chain', 'key', 'passphrase', 'names']

/** A certificate of ACM's. */
export interface Issue {
  readonly arn: string
  material: Material
  spoil: Spoil | undefined
  /** What is exported instead when the names are others. */
  named: Material | undefined
  exported: boolean
  renewing: boolean
  described: Certificate
  /** What was described before, and until when. */
  before: { readonly until: number; readonly described: Certificate } | undefined
}

/** ACM over a private CA: renewals take their time, by themselves from 60 days before the end, and everybody is told. */
export interface Acm {
  readonly issues: ReadonlyMap<string, Issue>
  add(nth: number, now: number): Issue
  describe(arn: string, age: number): Certificate
  export(arn: string, passphrase: string): Exported
  renew(arn: string): void
}

export function acm(world: World, mint: Mint, tell: (arn: string, kind: string) => void): Acm {
  const { loop, dice, issued, spoiled } = world
  const issues = new Map<string, Issue>()
  let serials = 0

  const change = (issue: Issue, described: Certificate) => {
    issue.before = { until: loop.now(), described: issue.described }
    issue.described = described
  }
  const make = (now: number): Material => {
    const material = mint.make(++serials, now)
    issued.set(material.certificate, material)
    return material
  }
  const get = (arn: string): Issue => {
    const issue = issues.get(arn)
    if (issue === undefined) throw new RelayError('CERTIFICATE_MISSING', `no certificate ${arn}`)
    return issue
  }

  /** What happens to a certificate by itself, as long as it is not replaced. */
  function age(issue: Issue): void {
    const { material } = issue
    const own = () => issue.material === material
    const daily = (at: number, what: () => void) => {
      loop.at(at, () => {
        if (!own() || loop.now() >= material.notAfter) return
        what()
        daily(loop.now() + DAY, what)
      })
    }
    daily(material.notAfter - BY_ITSELF, () => {
      if (issue.exported && !issue.renewing) begin(issue)
    })
    daily(material.notAfter - TELLS, () =>
      tell(issue.arn, 'ACM Certificate Approaching Expiration'),
    )
    loop.at(material.notAfter, () => {
      if (!own()) return
      change(issue, { ...issue.described, status: 'expired' })
      tell(issue.arn, 'ACM Certificate Expired')
    })
  }

  function begin(issue: Issue): void {
    issue.renewing = true
    const { refused: _, ...rest } = issue.described
    change(issue, { ...rest, renewing: true })
    loop.after(dice.stretch(5_000, 60 * MINUTE), () => end(issue))
  }

  function end(issue: Issue): void {
    issue.renewing = false
    if (issue.described.status !== 'issued') return
    if (dice.chance(world.weather.refused)) {
      const refused = { at: loop.now(), why: 'PCA_INVALID_STATE' }
      change(issue, { ...issue.described, renewing: false, refused })
      tell(issue.arn, 'ACM Certificate Renewal Action Required')
      return
    }
    issue.material = make(loop.now())
    issue.exported = false
    issue.spoil = dice.chance(world.weather.spoiled) ? dice.pick(SPOILS) : undefined
    if (issue.spoil !== undefined) spoiled.add(issue.material.serial)
    issue.named = issue.spoil === 'names' ? mint.other(serials, loop.now()) : undefined
    if (issue.named !== undefined) issued.set(issue.named.certificate, issue.named)
    change(issue, about(issue.arn, issue.material))
    world.counts.renewals++
    world.note('renewed', issue.arn, issue.spoil)
    age(issue)
    tell(issue.arn, 'ACM Certificate Available')
  }

  return {
    issues,
    add(nth, now) {
      const arn = `${ARN}00000000-0000-0000-0000-${String(nth).padStart(12, '0')}`
      const material = make(now)
      const described = about(arn, material)
      const rest = {
        spoil: undefined,
        named: undefined,
        exported: true,
        renewing: false,
        before: undefined,
      }
      const issue: Issue = { arn, material, described, ...rest }
      issues.set(arn, issue)
      age(issue)
      return issue
    },
    describe(arn, late) {
      const { before, described } = get(arn)
      return before !== undefined && before.until > loop.now() - late ? before.described : described
    },
    export(arn, passphrase) {
      const issue = get(arn)
      issue.exported = true
      return exported(issue, passphrase, mint, world)
    },
    renew(arn) {
      const issue = get(arn)
      if (issue.described.status !== 'issued' || (!issue.exported && !issue.renewing))
        throw new RelayError('CERTIFICATE_REFUSED', `${arn} cannot be renewed`)
      if (issue.renewing) throw new RelayError('CERTIFICATE_PENDING', `${arn} is being renewed`)
      begin(issue)
    },
  }
}

function about(arn: string, { serial, notBefore, notAfter }: Material): Certificate {
  const rest = { names: NAMES, keyAlgorithm: 'EC_prime256v1', authority: CA, renewing: false }
  return { arn, status: 'issued', serial, notBefore, notAfter, ...rest }
}

function exported(
  { material, spoil, named = material }: Issue,
  passphrase: string,
  mint: Mint,
  world: World,
) {
  const nth = Number.parseInt(material.serial.slice(-8), 16)
  // the next mold has another key
  const strange = spoil === 'key' ? mint.make(nth + 1, world.loop.now()) : material
  const phrase = spoil === 'passphrase' ? PHRASES.find((one) => one !== passphrase) : passphrase
  const key = spoil === 'names' ? named : strange
  return {
    certificate: named.certificate,
    chain: spoil === 'chain' ? mint.stranger : mint.chain,
    privateKey: key.keys.get(phrase ?? '') ?? '',
  }
}
