import * as v from 'valibot'
import { browse } from '../cursor.ts'
import { addTags, bytes, colons, tagList } from '../fields.ts'
import { AwsError, type Operation, operation, seconds, type World } from '../service.ts'
import { tokens } from '../tokens.ts'
import { family, KEY_ALGORITHMS, SIGNING_ALGORITHMS } from '../x509/algorithms.ts'
import { type Ca, createCa, type Roster, status } from './authorities.ts'
import { inspect } from './installation.ts'
import { asn1Subject, distinguishedName } from './names.ts'

const DAY = 86_400_000
const arn = v.pipe(v.string(), v.minLength(5), v.maxLength(200))
const named = v.object({ CertificateAuthorityArn: arn })
const anything = v.record(v.string(), v.unknown())

const creation = v.object({
  CertificateAuthorityConfiguration: v.object({
    KeyAlgorithm: v.picklist(KEY_ALGORITHMS),
    SigningAlgorithm: v.picklist(SIGNING_ALGORITHMS),
    Subject: asn1Subject,
    CsrExtensions: v.optional(anything),
  }),
  CertificateAuthorityType: v.picklist(['ROOT', 'SUBORDINATE']),
  RevocationConfiguration: v.optional(anything, {}),
  IdempotencyToken: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(36))),
  Tags: v.optional(tagList),
  UsageMode: v.optional(
    v.picklist(['GENERAL_PURPOSE', 'SHORT_LIVED_CERTIFICATE']),
    'GENERAL_PURPOSE',
  ),
})

/** The operations that bring a CA into being, activate it, switch it off and delete it. */
export function lifecycle(
  world: World,
  roster: Roster,
  /** Milliseconds that CREATING lasts. */
  delay: number,
): Readonly<Record<string, Operation>> {
  const { clock } = world
  const created = tokens<string>(clock, 5 * 60_000)
  return {
    CreateCertificateAuthority: operation(creation, async (input, call) => {
      const { region, account } = call
      const configuration = input.CertificateAuthorityConfiguration
      const { KeyAlgorithm: keyAlgorithm, SigningAlgorithm: signing } = configuration
      if (family(keyAlgorithm) !== family(signing)) {
        throw new AwsError(
          'InvalidArgsException',
          `The signing algorithm ${signing} does not fit the key algorithm ${keyAlgorithm}.`,
        )
      }
      const subject = distinguishedName(configuration.Subject)
      const tags = new Map<string, string>()
      addTags(tags, input.Tags ?? [])
      const token = input.IdempotencyToken && `${region} ${input.IdempotencyToken}`
      const made = await created.once(token, async () => {
        const ca = await createCa(world, {
          arn: `arn:aws:acm-pca:${region}:${account}:certificate-authority/${world.random.uuid()}`,
          region,
          type: input.CertificateAuthorityType,
          keyAlgorithm,
          signing,
          usageMode: input.UsageMode,
          configuration,
          revocation: input.RevocationConfiguration,
          tags,
          subject,
          delay,
        })
        roster.put(ca)
        return ca.arn
      })
      return { CertificateAuthorityArn: made }
    }),

    DescribeCertificateAuthority: operation(named, (input, call) => ({
      CertificateAuthority: describe(
        roster.find(input.CertificateAuthorityArn, call),
        call.account,
        clock.now(),
      ),
    })),

    ListCertificateAuthorities: operation(
      v.object({
        NextToken: v.optional(v.string()),
        MaxResults: v.optional(
          v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)),
          100,
        ),
      }),
      ({ NextToken: token, MaxResults: size }, { region, account }) => {
        const { items, next } = browse(roster.all(region), (ca) => ca.arn, { size, token })
        const list = items.map((ca) => describe(ca, account, clock.now()))
        return { CertificateAuthorities: list, ...(next !== undefined && { NextToken: next }) }
      },
    ),

    GetCertificateAuthorityCsr: operation(named, (input, call) => {
      const ca = roster.find(input.CertificateAuthorityArn, call)
      if (status(ca, clock.now()) === 'CREATING') {
        throw new AwsError('RequestInProgressException', 'Your request is already in progress.')
      }
      roster.expect(ca, 'PENDING_CERTIFICATE', 'ACTIVE', 'DISABLED', 'EXPIRED')
      return { Csr: ca.csr }
    }),

    GetCertificateAuthorityCertificate: operation(named, (input, call) => {
      const ca = roster.find(input.CertificateAuthorityArn, call)
      roster.expect(ca, 'ACTIVE', 'DISABLED', 'EXPIRED')
      const { certificate, chain } = ca.installed ?? { certificate: '', chain: [] }
      return {
        Certificate: certificate,
        ...(chain.length > 0 && { CertificateChain: chain.join('\n') }),
      }
    }),

    ImportCertificateAuthorityCertificate: operation(
      v.object({
        CertificateAuthorityArn: arn,
        Certificate: bytes(32_768),
        CertificateChain: v.optional(bytes(2_097_152)),
      }),
      (input, call) => {
        const ca = roster.find(input.CertificateAuthorityArn, call)
        roster.expect(ca, 'PENDING_CERTIFICATE', 'ACTIVE', 'DISABLED', 'EXPIRED')
        const chain = input.CertificateChain?.toString('utf8')
        ca.installed = inspect(ca, input.Certificate.toString('utf8'), chain, clock.now())
        ca.changedAt = clock.now()
        return {}
      },
    ),

    UpdateCertificateAuthority: operation(
      v.object({
        CertificateAuthorityArn: arn,
        Status: v.optional(v.picklist(['ACTIVE', 'DISABLED'])),
      }),
      (input, call) => {
        const ca = roster.find(input.CertificateAuthorityArn, call)
        roster.expect(ca, 'ACTIVE', 'DISABLED')
        if (input.Status !== undefined) ca.disabled = input.Status === 'DISABLED'
        ca.changedAt = clock.now()
        return {}
      },
    ),

    DeleteCertificateAuthority: operation(
      v.object({
        CertificateAuthorityArn: arn,
        PermanentDeletionTimeInDays: v.optional(
          v.pipe(v.number(), v.integer(), v.minValue(7), v.maxValue(30)),
          30,
        ),
      }),
      (input, call) => {
        const ca = roster.find(input.CertificateAuthorityArn, call)
        roster.expect(ca, 'PENDING_CERTIFICATE', 'DISABLED', 'EXPIRED')
        ca.restorableUntil = clock.now() + input.PermanentDeletionTimeInDays * DAY
        ca.changedAt = clock.now()
        return {}
      },
    ),
  }
}

/** https://docs.aws.amazon.com/privateca/latest/APIReference/API_CertificateAuthority.html */
function describe(ca: Ca, account: string, now: number) {
  const { installed, restorableUntil } = ca
  return {
    Arn: ca.arn,
    OwnerAccount: account,
    CreatedAt: seconds(ca.createdAt),
    LastStateChangeAt: seconds(Math.max(ca.changedAt, Math.min(now, ca.readyAt))),
    Type: ca.type,
    Status: status(ca, now),
    CertificateAuthorityConfiguration: ca.configuration,
    RevocationConfiguration: ca.revocation,
    KeyStorageSecurityStandard: 'FIPS_140_2_LEVEL_3_OR_HIGHER',
    UsageMode: ca.usageMode,
    ...(installed !== undefined && {
      Serial: colons(installed.serial),
      NotBefore: seconds(installed.notBefore),
      NotAfter: seconds(installed.notAfter),
    }),
    ...(restorableUntil !== undefined && { RestorableUntil: seconds(restorableUntil) }),
  }
}
