import { type AuthKey, BARE, type Profile, type Remote } from '../authority/policy.ts'
import { isUsage } from '../authority/usages.ts'
import { date, duration } from './duration.ts'
import { BadField, Fields, names } from './fields.ts'
import { type Given, Misconfigured } from './given.ts'
import { constraint, oidAt, policies, whitelist } from './limits.ts'
import { lintLevel } from './linting.ts'
import { ours } from './ours.ts'
import { allowancesOf } from './switches.ts'
import { pattern } from './whitelist.ts'

/** A profile as written: what is undefined comes from the default profile. */
export interface Drawn extends Omit<Profile, 'expiry' | 'issuerUrls'> {
  /** 0: the default profile's. */
  readonly expiry: number
  readonly issuerUrls?: readonly string[]
}

const MINUTE = 60_000
const HOUR = 3_600_000
/** How far back certificates begin when nothing is said. */
const BACKDATE = 5 * MINUTE

const KNOWN = names(
  'usages',
  'issuer_urls',
  'ocsp_url',
  'crl_url',
  'ca_constraint',
  'ocsp_no_check',
  'expiry',
  'backdate',
  'auth_key',
  'copy_extensions',
  'prev_auth_key',
  'remote',
  'not_before',
  'not_after',
  'name_whitelist',
  'auth_remote',
  'ct_log_servers',
  'allowed_extensions',
  'cert_store',
  'lint_error_level',
  'ignored_lints',
  'ignored_lint_sources',
  'Policies',
  'CSRWhitelist',
  'ClientProvidesSerialNumbers',
  'allow_client_dates',
  'certrelay',
)

/** CFSSL's default profile when a configuration has none (config/config.go, DefaultConfig). */
export const STANDARD: Drawn = {
  ...BARE,
  usages: ['signing', 'key encipherment', 'server auth', 'client auth'],
  expiry: 8_760 * HOUR,
  expiryText: '8760h',
  backdate: BACKDATE,
}

/** Reads one profile. @throws BadField, CONFIG_INVALID */
export function profile(value: unknown, path: string, given: Given): Drawn {
  const fields = new Fields(value, path, KNOWN, given.unknown)
  const remote = remoteOf(fields, given)
  const own = ours(fields, given)
  const { compatible } = own
  refuse(fields, given)
  const drawn: Drawn = {
    ...STANDARD,
    ...times(fields, remote !== undefined),
    ...urls(fields),
    ...allowed(fields, { ...given, compatible }),
    usages: usages(fields, given),
    ocspNoCheck: fields.flag('ocsp_no_check'),
    authKeys: keysOf(fields, given),
    copyExtensions: fields.flag('copy_extensions'),
    extensions: fields
      .texts('allowed_extensions')
      .map((oid, at) => oidAt(oid, `${fields.at('allowed_extensions')}[${at}]`)),
    policies: policies(fields, given),
    clientSerials: fields.flag('ClientProvidesSerialNumbers'),
    clientDates: compatible.has('client-dates') || fields.flag('allow_client_dates'),
    canary: own.canary,
    timed: own.timed,
    revokes: own.revokes,
    allowances: { ...allowancesOf(compatible), ...own.allowances },
    ...optional('ca', constraint(fields, given)),
    ...optional('csr', whitelist(fields, given)),
    ...optional('remote', remote),
  }
  return drawn
}

/** Fills in from the default profile what a profile leaves out, as CFSSL does when it signs. @throws CONFIG_INVALID */
export function finish(drawn: Drawn, standard: Drawn, path: string): Profile {
  const issuerUrls = drawn.issuerUrls ?? standard.issuerUrls ?? []
  if (drawn.remote !== undefined) return { ...drawn, issuerUrls }
  if (!drawn.usages.some(isUsage))
    throw new Misconfigured(`${path}.usages`, 'Invalid policy: no key usage available', 5100)
  const expiry = drawn.expiry || standard.expiry
  if (expiry <= 0) throw new Misconfigured(`${path}.expiry`, 'has to be longer than nothing')
  return {
    ...drawn,
    expiry,
    issuerUrls,
    ...optional('crlUrl', drawn.crlUrl ?? standard.crlUrl),
    ...optional('ocspUrl', drawn.ocspUrl ?? standard.ocspUrl),
  }
}

/** A member only where there is a value. */
function optional<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  const found: { [P in K]?: V } = {}
  if (value !== undefined) found[name] = value
  return found
}

function usages(fields: Fields, { warnings }: Given): readonly string[] {
  const all = fields.texts('usages')
  for (const one of all)
    if (!isUsage(one)) warnings.push(`${fields.at('usages')}: ${one} is no usage, ignored`)
  return all
}

function times(
  fields: Fields,
  remote: boolean,
): Pick<Drawn, 'expiry' | 'backdate' | 'expiryText' | 'notBefore' | 'notAfter'> {
  const text = fields.text('expiry')
  if (text === '' && !remote) throw new BadField(fields.at('expiry'), 'empty expiry string')
  const notBefore = dateAt(fields, 'not_before')
  const notAfter = dateAt(fields, 'not_after')
  if (notBefore !== undefined && notAfter !== undefined && notAfter < notBefore)
    throw new BadField(fields.at('not_after'), 'is before not_before')
  return {
    expiry: durationAt(fields, 'expiry'),
    expiryText: text,
    backdate: durationAt(fields, 'backdate') || BACKDATE,
    ...optional('notBefore', notBefore),
    ...optional('notAfter', notAfter),
  }
}

function durationAt(fields: Fields, name: string): number {
  const text = fields.text(name)
  const found = text === '' ? 0 : duration(text)
  if (found === undefined || found < 0)
    throw new BadField(
      fields.at(name),
      'has to be a duration of Go, like 8760h or 1h30m; there are no days',
    )
  return found
}

function dateAt(fields: Fields, name: string): number | undefined {
  const text = fields.text(name)
  const found = text === '' ? 'none' : date(text)
  if (found === undefined)
    throw new BadField(fields.at(name), 'has to be a date of RFC 3339, like 2030-01-31T00:00:00Z')
  return found === 'none' ? undefined : found
}

function urls(fields: Fields): Pick<Drawn, 'issuerUrls' | 'crlUrl' | 'ocspUrl'> {
  const crl = fields.text('crl_url')
  const ocsp = fields.text('ocsp_url')
  return {
    ...optional('issuerUrls', fields.has('issuer_urls') ? fields.texts('issuer_urls') : undefined),
    ...optional('crlUrl', crl === '' ? undefined : crl),
    ...optional('ocspUrl', ocsp === '' ? undefined : ocsp),
  }
}

/** What of a configuration cannot be done here, and is not left out in silence. */
function refuse(fields: Fields, { warnings }: Given): void {
  if (fields.list('ct_log_servers').length > 0)
    throw new BadField(
      fields.at('ct_log_servers'),
      'certificate transparency is for public CAs and not supported: remove it',
    )
  if (fields.text('cert_store') !== '')
    warnings.push(`${fields.at('cert_store')}: has no effect, as with CFSSL 1.6.5`)
  lintLevel(fields, warnings)
}

function keysOf(fields: Fields, { keys }: Given): readonly AuthKey[] {
  return ['auth_key', 'prev_auth_key'].flatMap((name) => {
    const wanted = fields.text(name)
    return wanted === '' ? [] : [keys(wanted, fields.at(name)).auth]
  })
}

const AUTH_REMOTE = names('remote', 'auth_key')

function remoteOf(fields: Fields, { remotes, keys, unknown }: Given): Remote | undefined {
  const plain = fields.text('remote')
  const auth = new Fields(
    fields.get('auth_remote') ?? {},
    fields.at('auth_remote'),
    AUTH_REMOTE,
    unknown,
  )
  const name = auth.text('remote')
  const key = auth.text('auth_key')
  if (plain !== '' && name !== '')
    throw new BadField(fields.at('auth_remote'), 'a profile has remote or auth_remote, not both')
  if (name === '' && key !== '') throw new BadField(auth.at('remote'), 'no remote signer specified')
  if (name !== '' && key === '') throw new BadField(auth.at('auth_key'), 'no auth key is defined')
  if (plain === '' && name === '') return undefined
  const path = plain === '' ? auth.at('remote') : fields.at('remote')
  const hosts = remotes.get(plain || name)
  if (hosts === undefined || hosts.join('') === '')
    throw new BadField(path, 'failed to find remote in remotes section')
  return { hosts, ...(key === '' ? {} : { token: keys(key, auth.at('auth_key')).token }) }
}

function allowed(fields: Fields, { compatible, warnings }: Given): Pick<Drawn, 'allows'> {
  const text = fields.text('name_whitelist')
  if (text === '') return {}
  const found = pattern(text)
  if (found === undefined)
    throw new BadField(
      fields.at('name_whitelist'),
      'failed to compile name whitelist section: it has to be an RE2 pattern',
    )
  const loose = compatible.has('whitelist-anchors')
  if (!loose && !found.anchored)
    warnings.push(
      `${fields.at('name_whitelist')}: has to match whole names here; write ^(...)$ to say so`,
    )
  return { allows: loose ? found.finds : found.covers }
}
