import * as v from 'valibot'
import { browse } from '../cursor.ts'
import { addTags, bytes, listTags, tagList } from '../fields.ts'
import { AwsError, type Operation, operation, type World } from '../service.ts'
import { encryptKey } from '../x509/pkcs8.ts'
import { eligible, type Holding, type Holdings, renewing, revoked, status } from './certificates.ts'
import { detail, purpose, summary } from './describe.ts'
import type { Life } from './renewal.ts'

const arn = v.pipe(v.string(), v.minLength(20), v.maxLength(2048))
const named = v.object({ CertificateArn: arn })

/** An operation of this imitation only. */
const NOTE_REVOCATION = 'NoteRevocation'
/** What ACM calls differently from Private CA. */
const REASONS: Readonly<Record<string, string>> = {
  CERTIFICATE_AUTHORITY_COMPROMISE: 'CA_COMPROMISE',
}

const listing = v.object({
  CertificateStatuses: v.optional(v.array(v.string())),
  Includes: v.optional(
    v.object({
      keyTypes: v.optional(v.array(v.string())),
      keyUsage: v.optional(v.array(v.string())),
      extendedKeyUsage: v.optional(v.array(v.string())),
    }),
    {},
  ),
  NextToken: v.optional(v.string()),
  MaxItems: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 1000),
})

/** The operations on certificates that ACM holds. */
export function certificateOperations(
  { clock }: Pick<World, 'clock'>,
  held: Holdings,
  life: Life,
): Readonly<Record<string, Operation>> {
  return {
    DescribeCertificate: operation(named, (input, call) => ({
      Certificate: detail(held.find(input.CertificateArn, call), clock.now()),
    })),

    GetCertificate: operation(named, (input, call) => {
      const { certificate, chain } = issued(held.find(input.CertificateArn, call)).material
      return { Certificate: certificate, ...(chain !== '' && { CertificateChain: chain }) }
    }),

    ExportCertificate: operation(
      v.object({ CertificateArn: arn, Passphrase: bytes(1_024) }),
      async (input, call) => {
        const holding = held.find(input.CertificateArn, call)
        if (holding.type !== 'PRIVATE') {
          throw new AwsError(
            'ValidationException',
            `Certificate ARN ${holding.arn} is not a private certificate and cannot be exported.`,
          )
        }
        checkPassphrase(input.Passphrase)
        const state = issued(holding)
        const { certificate, chain, privateKeyPem } = state.material
        const encrypted = await encryptKey(privateKeyPem, input.Passphrase)
        input.Passphrase.fill(0)
        if (holding.state === state) holding.state = { ...state, exported: true }
        holding.everExported = true
        life.plan(holding)
        return { Certificate: certificate, CertificateChain: chain, PrivateKey: encrypted }
      },
    ),

    RenewCertificate: operation(named, (input, call) => {
      const holding = held.find(input.CertificateArn, call)
      if (holding.type !== 'PRIVATE') {
        throw new AwsError(
          'ValidationException',
          `Certificate ARN ${holding.arn} is not a private certificate, so it is not eligible for the Renew Certificate API.`,
        )
      }
      issued(holding)
      if (renewing(holding)) {
        throw new AwsError(
          'RequestInProgressException',
          `Certificate ARN ${holding.arn} is already being renewed.`,
        )
      }
      if (revoked(holding)) {
        throw new AwsError(
          'ValidationException',
          `Certificate ARN ${holding.arn} is revoked so it is not eligible for the Renew Certificate API.`,
        )
      }
      if (status(holding, clock.now()) === 'EXPIRED') {
        throw new AwsError(
          'ValidationException',
          `Certificate ARN ${holding.arn} has expired so it is not eligible for the Renew Certificate API.`,
        )
      }
      if (!eligible(holding, clock.now())) {
        throw new AwsError(
          'ValidationException',
          `Certificate ARN ${holding.arn} has not been exported so it is not eligible for the Renew Certificate API.`,
        )
      }
      life.renew(holding)
      return {}
    }),

    /** Private CA tells ACM of a revocation; nobody else has such an operation. */
    [NOTE_REVOCATION]: operation(
      v.object({ CertificateAuthorityArn: v.string(), Serial: v.string(), Reason: v.string() }),
      ({ CertificateAuthorityArn: authority, Serial, Reason }, { caller, region }) => {
        if (!caller.internal) throw new AwsError('UnknownOperationException', '')
        const digits = (serial: string) => serial.replace(/^0+/, '').toLowerCase()
        for (const holding of held.all(region)) {
          const { state } = holding
          if (holding.authority !== authority || state.at !== 'issued') continue
          if (digits(state.facts.serial) !== digits(Serial)) continue
          life.revoke(holding, REASONS[Reason] ?? Reason)
        }
        return {}
      },
    ),

    ListCertificates: operation(listing, (input, call) => {
      const found = held.all(call.region).filter((holding) => matches(holding, input, clock.now()))
      const { items, next } = browse(
        found,
        (holding) => holding.arn,
        { size: input.MaxItems, token: input.NextToken },
        'InvalidArgsException',
      )
      return {
        CertificateSummaryList: items.map((holding) => summary(holding, clock.now())),
        ...(next !== undefined && { NextToken: next }),
      }
    }),

    DeleteCertificate: operation(named, (input, call) => {
      const holding = held.find(input.CertificateArn, call)
      holding.alarm?.cancel()
      held.delete(holding)
      return {}
    }),

    AddTagsToCertificate: operation(
      v.object({ CertificateArn: arn, Tags: tagList }),
      (input, call) => {
        addTags(held.find(input.CertificateArn, call).tags, input.Tags)
        return {}
      },
    ),

    ListTagsForCertificate: operation(named, (input, call) => ({
      Tags: listTags(held.find(input.CertificateArn, call).tags),
    })),

    RemoveTagsFromCertificate: operation(
      v.object({
        CertificateArn: arn,
        Tags: v.array(v.object({ Key: v.string(), Value: v.optional(v.string()) })),
      }),
      (input, call) => {
        const { tags } = held.find(input.CertificateArn, call)
        for (const { Key, Value } of input.Tags) {
          if (Value === undefined || tags.get(Key) === Value) tags.delete(Key)
        }
        return {}
      },
    ),
  }
}

/** @throws AwsError RequestInProgressException, ValidationException */
function issued({ arn, state }: Holding) {
  if (state.at === 'issued') return state
  if (state.at === 'failed') {
    throw new AwsError('ValidationException', `The request for certificate ${arn} has failed.`)
  }
  throw new AwsError('RequestInProgressException', `Certificate ${arn} has not been issued yet.`)
}

/** 4 to 128 ASCII characters, none of `# $ %`; the message tells nothing about this one. */
function checkPassphrase(passphrase: Buffer) {
  const allowed = passphrase.every(
    (byte) => byte < 0x80 && !'#$%'.includes(String.fromCharCode(byte)),
  )
  if (allowed && passphrase.length >= 4 && passphrase.length <= 128) return
  throw new AwsError(
    'ValidationException',
    'The passphrase must have 4 to 128 ASCII characters except #, $, or %.',
  )
}

/** Without `keyTypes`, ACM lists RSA keys of 1024 and 2048 bits only. */
function matches(holding: Holding, input: v.InferOutput<typeof listing>, now: number): boolean {
  const { keyTypes = ['RSA_1024', 'RSA_2048'], keyUsage, extendedKeyUsage } = input.Includes
  const leaf = holding.state.at === 'issued' ? holding.state.facts : undefined
  const overlap = (wanted: readonly string[] | undefined, has: readonly string[]) =>
    wanted === undefined || wanted.includes('ANY') || wanted.some((one) => has.includes(one))
  return (
    keyTypes.includes(holding.keyAlgorithm) &&
    overlap(input.CertificateStatuses, [status(holding, now)]) &&
    overlap(keyUsage, leaf?.usages ?? []) &&
    overlap(extendedKeyUsage, (leaf?.purposes ?? []).map(purpose))
  )
}
