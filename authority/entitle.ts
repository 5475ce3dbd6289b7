import { RelayError } from '../pki/error.ts'
import { isRecord } from '../pki/json.ts'

/** A role of IAM as AWS has verified it, and its tags where they were looked up. */
export interface Principal {
  readonly account: string
  /** Name without its path. */
  readonly role: string
  readonly tags?: Readonly<Record<string, string>>
}

/** What some roles may be certified as; a part of a CA's record (docs/authority.md). */
export interface Rule {
  /** ARNs of roles; `*` stands for any characters of the name. */
  readonly roles: readonly string[]
  /** Tags that the role must have; `*` stands for any characters. */
  readonly tags: Readonly<Record<string, string>>
  /** Names of profiles; empty text is the standard one. */
  readonly profiles: readonly string[]
  /**
   * Names that may be asked for. `*` stands for any characters but `. / : @` (in a URI: but a slash); `{account}`, `{role}` and
   * `{tag:KEY}` stand for the caller's own.
   */
  readonly names: readonly string[]
  /** Whether the subject may have more than a common name. */
  readonly subject: boolean
  /** Whether they may revoke what the authority issued, whoever has it. */
  readonly revoke: boolean
}

/** What one caller may have of one profile. */
export interface Entitlement {
  /** Whether any rule is for this caller and profile at all. */
  readonly known: boolean
  /** The names that need not be asked for: those of the rules that leave nothing open. */
  readonly own: readonly string[]
  readonly subject: boolean
  /** Whether a name (DNS name, address, email address or URI, as text) may be asked for. */
  may(name: string): boolean
}

const ROLE = /^arn:aws[a-z-]*:iam::(\d{12}|\*):role\/(?:[^*]*\/)?([A-Za-z0-9_+=,.@*-]{1,64})$/
const HOLE = /\{(account|role|tag:[^{}]{1,128})\}/g
/** What may be put into a name: no dot, slash or star, so that it stays one part of it. */
const PART = /^[A-Za-z0-9_-]{1,64}$/
const MOST = 200

/** Adds up the rules that are for a caller and a profile: whatever one of them allows is allowed, everything else is not. */
export function entitlement(
  rules: readonly Rule[],
  caller: Principal,
  profile: string,
): Entitlement {
  const mine = rules.filter((rule) => rule.profiles.includes(profile) && isFor(rule, caller))
  const names = mine.flatMap((rule) => rule.names.flatMap((name) => filled(name, caller)))
  const patterns = names.map(nameExpression)
  return {
    known: mine.length > 0,
    own: [...new Set(names.filter((name) => !name.includes('*')))],
    subject: mine.some((rule) => rule.subject),
    may: (name) => patterns.some((pattern) => pattern.test(name)),
  }
}

/** Whether any rule lets a caller revoke. */
export function mayRevoke(rules: readonly Rule[], caller: Principal): boolean {
  return rules.some((rule) => rule.revoke && isFor(rule, caller))
}

function isFor({ roles, tags }: Rule, caller: Principal): boolean {
  const { tags: theirs = {} } = caller
  const isNamed = roles.some((arn) => {
    const [, account, name] = ROLE.exec(arn) ?? []
    if (account === undefined || name === undefined) return false
    return (account === '*' || account === caller.account) && glob(name).test(caller.role)
  })
  return (
    isNamed &&
    Object.entries(tags).every(([key, value]) => {
      const own = Object.hasOwn(theirs, key) ? theirs[key] : undefined
      return own !== undefined && glob(value).test(own)
    })
  )
}

/** The pattern with the caller's own in its holes; none when one cannot be filled with one plain part of a name. */
function filled(pattern: string, { account, role, tags = {} }: Principal): string[] {
  let whole = true
  const text = pattern.replace(HOLE, (_, hole: string) => {
    const key = hole.slice('tag:'.length)
    const own = Object.hasOwn(tags, key) ? tags[key] : undefined
    const value = hole === 'account' ? account : hole === 'role' ? role : own
    if (value !== undefined && PART.test(value)) return value
    whole = false
    return ''
  })
  return whole ? [text] : []
}

function glob(pattern: string): RegExp {
  return new RegExp(`^${literal(pattern).replaceAll('\\*', '.*')}$`, 's')
}

/** DNS names and email hosts are compared without regard to case; a star in them stays within a label, in a URI within a segment. */
function nameExpression(pattern: string): RegExp {
  const isUri = pattern.includes('://')
  const star = isUri ? '[^/]+' : '[^./:@]+' // one form of names does not pass for another
  const isExact = isUri || pattern.startsWith('group:') // to Nebula, `web` and `Web` are two groups
  return new RegExp(`^${literal(pattern).replaceAll('\\*', star)}$`, isExact ? '' : 'i')
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/** Whether the verdict depends on the caller's tags, so that they have to be looked up. */
export function needTags(rules: readonly Rule[]): boolean {
  return rules.some(
    ({ tags, names }) =>
      Object.keys(tags).length > 0 || names.some((name) => name.includes('{tag:')),
  )
}

/** Reads rules as they stand in a record. @throws RelayError CONFIG_INVALID naming the place of the first mistake */
export function readRules(value: unknown, at = 'names'): Rule[] {
  if (value === undefined) return []
  if (!Array.isArray(value) || value.length > MOST)
    throw wrong(at, `a list of at most ${MOST} rules`)
  return value.map((rule, index) => readRule(rule, `${at}[${index}]`))
}

const MEMBERS = ['roles', 'tags', 'profiles', 'names', 'subject', 'revoke']

function readRule(value: unknown, at: string): Rule {
  if (!isRecord(value)) throw wrong(at, 'an object')
  const unknown = Object.keys(value).find((name) => !MEMBERS.includes(name))
  if (unknown !== undefined) throw wrong(`${at}.${unknown}`, `one of ${MEMBERS.join(', ')}`)
  const { tags = {}, subject = false, revoke = false } = value
  const roles = texts(value['roles'], `${at}.roles`)
  roles.forEach((arn, index) => {
    if (!ROLE.test(arn)) throw wrong(`${at}.roles[${index}]`, 'the ARN of a role')
  })
  if (!isRecord(tags)) throw wrong(`${at}.tags`, 'an object of texts')
  if (typeof subject !== 'boolean') throw wrong(`${at}.subject`, 'true or false')
  if (typeof revoke !== 'boolean') throw wrong(`${at}.revoke`, 'true or false')
  const names = value['names'] === undefined && revoke ? [] : texts(value['names'], `${at}.names`)
  const pairs = Object.entries(tags).map(([key, one]): [string, string] => {
    if (typeof one !== 'string') throw wrong(`${at}.tags.${key}`, 'a text')
    return [key, one]
  })
  return {
    roles,
    tags: Object.fromEntries(pairs),
    // a rule that gives no names is not for any profile
    profiles: names.length === 0 ? [] : texts(value['profiles'] ?? [''], `${at}.profiles`),
    names: names.map((name, index) => checked(name, `${at}.names[${index}]`)),
    ...{ subject, revoke },
  }
}

/** A pattern that would let everybody have any name is a mistake; a hole is one of the three. */
function checked(name: string, at: string): string {
  const rest = name.replace(HOLE, 'x')
  const bare = rest.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')
  if (/[{}\s]/.test(rest)) throw wrong(at, 'a name with {account}, {role} or {tag:KEY} at most')
  if (bare === '' || /^[*./]+$/.test(bare)) throw wrong(at, 'narrower than every name')
  return name
}

function texts(value: unknown, at: string): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST)
    throw wrong(at, `a list of 1 to ${MOST} texts`)
  return value.map((one, index) => {
    if (typeof one === 'string' && one.length <= 512) return one
    throw wrong(`${at}[${index}]`, 'a text of at most 512 characters')
  })
}

function wrong(at: string, what: string): RelayError {
  return new RelayError('CONFIG_INVALID', `${at} is not ${what}; see docs/authority.md`)
}
