import { pem } from '../pki/pem.ts'
import { pemBlock } from './block.ts'
import { bundleOf } from './bundle.ts'
import { type Demand, demand } from './demand.ts'
import type { Desk, Request } from './desk.ts'
import { type Answer, Declined, success } from './envelope.ts'
import { Fields, names } from './fields.ts'
import { keyText, pair, requestOf, sums } from './made.ts'
import { confidential, text } from './newkey.ts'
import { caOf, profileOf } from './profiles.ts'
import { json, reading } from './reading.ts'
import { NO_BUNDLER, made as signed } from './sign.ts'

const NEWCERT = names('request', 'profile', 'label', 'bundle')

interface Wanted {
  readonly demand: Demand
  readonly profile: string
  readonly label: string
  readonly bundle: boolean
}

/** `newcert`: a key and a certificate for it, in one go. CFSSL asks for no token here, whatever the profile says. */
export async function newcert(request: Request, desk: Desk): Promise<Answer> {
  const wanted = reading(() => wantedOf(new Fields(json(request.body, desk), '', NEWCERT)))
  if (wanted.demand.ca !== undefined) throw new Declined(400, 'ca section only permitted in initca')
  const ca = await caOf(wanted.label, request, desk)
  const profile = profileOf(ca.policy, wanted.profile, desk)
  if (profile.authKeys.length > 0 && !desk.compatible.has('open-newcert'))
    throw new Declined(400, 'authentication required')
  confidential(request, desk)
  const made = await pair(wanted.demand.key)
  const der = requestOf(wanted.demand, made)
  const csr = pem('CERTIFICATE REQUEST', der)
  const asked = {
    label: wanted.label,
    profile: wanted.profile,
    csr,
    bundle: false,
    precert: false,
    rest: {},
  }
  const certificate = await signed({ ca, profile, wanted: asked, caller: request.caller }, desk)
  const result = {
    private_key: text(keyText(made)),
    certificate_request: csr,
    certificate,
    sums: {
      certificate_request: sums(der),
      certificate: sums(pemBlock(certificate)?.der ?? Buffer.of()),
    },
  }
  if (wanted.bundle && desk.trust === undefined) return success(result, NO_BUNDLER)
  const all = wanted.bundle
    ? { ...result, bundle: bundleOf(certificate, { flavor: 'optimal' }, desk) }
    : result
  return wanted.demand.hosts.length === 0 ? success(all, NO_HOSTS) : success(all)
}

function wantedOf(fields: Fields): Wanted {
  return {
    demand: demand(fields.has('request') ? fields.get('request') : {}, 'request'),
    profile: fields.text('profile'),
    label: fields.text('label'),
    bundle: fields.flag('bundle'),
  }
}

/** What CFSSL says beside a certificate without names (api/generator/generator.go). */
const NO_HOSTS = {
  code: 5300,
  message: `This certificate lacks a "hosts" field. This makes it unsuitable for
websites. For more information see the Baseline Requirements for the Issuance and Management
of Publicly-Trusted Certificates, v.1.1.6, from the CA/Browser Forum (https://cabforum.org);
specifically, section 10.2.3 ("Information Requirements").`,
}
