import { type Certificate, selfIssued, valuesOf } from './certificate.ts'
import type { Known, Subtree } from './extensions.ts'
import { sameMailbox } from './match.ts'
import { type GeneralName, startsWith } from './names.ts'
import type { Reason } from './reasons.ts'
import { hostOf, isHost, isMailbox } from './syntax.ts'

type Constraints = NonNullable<Known['constraints']>

/** Whether name constraints are well formed (RFC 5280 4.2.1.10): not empty, no minimum or maximum, every base of its syntax. */
export function soundConstraints({ permitted, excluded }: Constraints): boolean {
  if (permitted.length + excluded.length === 0) return false
  return permitted.every(soundSubtree) && excluded.every(soundSubtree)
}

function soundSubtree({ base, plain }: Subtree): boolean {
  return plain && soundBase(base)
}

function soundBase(base: GeneralName): boolean {
  switch (base.form) {
    case 'dns':
      return base.value === '' || isHost(base.value)
    case 'email':
      return base.value.includes('@') ? isMailbox(base.value) : isDomain(base.value)
    case 'uri':
      return isDomain(base.value)
    case 'ip':
      return (base.value.length === 8 || base.value.length === 32) && contiguous(base.value)
    default:
      return true
  }
}

/** A host, or a dot and a host: everything below it but not the host itself. */
function isDomain(value: string): boolean {
  return isHost(value.startsWith('.') ? value.slice(1) : value)
}

/** An address and a mask whose ones come first (RFC 4632 3.1). */
function contiguous(range: Uint8Array): boolean {
  let ended = false
  for (let at = range.length / 2; at < range.length; at++) {
    const zeros = ~(range[at] ?? 0) & 0xff
    if ((ended && zeros !== 0xff) || (zeros & (zeros + 1)) !== 0) return false
    ended ||= zeros !== 0
  }
  return true
}

/** How many comparisons checking a certificate takes: budgeted before a single one is made. */
export function comparisons(one: Certificate, { permitted, excluded }: Constraints): number {
  return (namesOf(one).length + 1) * (permitted.length + excluded.length)
}

/**
 * Steps (b) and (c) of RFC 5280 6.1.3 for one certificate below a CA's constraints. Self-issued certificates are exempt
 * unless they are the leaf.
 */
export function constrained(
  one: Certificate,
  leaf: boolean,
  constraints: Constraints,
): Reason | undefined {
  if (!leaf && selfIssued(one)) return undefined
  for (const name of namesOf(one)) {
    const excluded = reach(name, constraints.excluded, true)
    const permitted = reach(name, constraints.permitted, false)
    if (excluded === 'none' && permitted === 'none') continue
    if (!comparable(name)) return 'NAME_UNCHECKABLE'
    if (excluded === 'in') return 'NAME_FORBIDDEN'
    if (permitted === 'out') return 'NAME_NOT_PERMITTED'
  }
  return undefined
}

/** Whether one of the subtrees of a name's own form has it; `none` when there are none of that form. */
function reach(name: GeneralName, list: readonly Subtree[], touch: boolean): 'in' | 'out' | 'none' {
  let found: 'out' | 'none' = 'none'
  for (const { base } of list) {
    if (!sameForm(name, base)) continue
    if (within(name, base, touch)) return 'in'
    found = 'out'
  }
  return found
}

function sameForm(name: GeneralName, base: GeneralName): boolean {
  if (name.form !== base.form) return false
  return name.form !== 'other' || base.form !== 'other' || name.number === base.number
}

/** Alternative names and the subject; a subject's mail addresses count where there are no alternative names. */
function namesOf(one: Certificate): readonly GeneralName[] {
  const { names } = valuesOf(one)
  const list: GeneralName[] = [...(names ?? [])]
  if (one.subject.keys.length > 0) list.push({ form: 'directory', value: one.subject })
  if (names === undefined)
    for (const value of one.subject.emails) list.push({ form: 'email', value })
  return list
}

function comparable(name: GeneralName): boolean {
  if (name.form === 'uri') return hostOf(name.value) !== undefined
  return name.form === 'email' ? isMailbox(name.value) : name.form !== 'other'
}

/** `touch`: a name that may reach into the subtree counts (for excluded ones); otherwise it must lie inside wholly. */
function within(name: GeneralName, base: GeneralName, touch: boolean): boolean {
  if (name.form === 'dns' && base.form === 'dns') return hostWithin(name.value, base.value, touch)
  if (name.form === 'ip' && base.form === 'ip') return addressWithin(name.value, base.value)
  if (name.form === 'directory' && base.form === 'directory')
    return startsWith(name.value, base.value)
  if (name.form === 'email' && base.form === 'email') return mailboxWithin(name.value, base.value)
  if (name.form === 'uri' && base.form === 'uri')
    return domainWithin(hostOf(name.value) ?? '', base.value)
  return false
}

function hostWithin(name: string, base: string, touch: boolean): boolean {
  const [host, top] = [name.toLowerCase(), base.toLowerCase()]
  if (top === '') return true
  if (!host.startsWith('*.')) return host === top || host.endsWith(`.${top}`)
  const rest = host.slice(2)
  const inside = rest === top || rest.endsWith(`.${top}`)
  // `*.example.com` may stand for an excluded `bar.example.com`, one label longer than what the star leaves
  return inside || (touch && top.slice(top.indexOf('.') + 1) === rest && top.includes('.'))
}

function addressWithin(value: Uint8Array, range: Uint8Array): boolean {
  if (range.length !== value.length * 2) return false
  for (let at = 0; at < value.length; at++) {
    const mask = range[value.length + at] ?? 0
    if ((((value[at] ?? 0) ^ (range[at] ?? 0)) & mask) !== 0) return false
  }
  return true
}

function mailboxWithin(value: string, base: string): boolean {
  if (base.includes('@')) return sameMailbox(value, base)
  return domainWithin(value.slice(value.indexOf('@') + 1), base)
}

/** Without a leading dot the host itself, with one every host below it. */
function domainWithin(host: string, base: string): boolean {
  const [name, top] = [host.toLowerCase(), base.toLowerCase()]
  return top.startsWith('.') ? name.endsWith(top) && name.length > top.length : name === top
}
