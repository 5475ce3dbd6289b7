import * as v from 'valibot'
import { parseBundle } from '../../pki/bundle.ts'
import { readTags } from '../../pki/tags.ts'
import { EVERY, type Scene } from './struck.ts'

const certificates = v.object({
  CertificateSummaryList: v.array(v.object({ CertificateArn: v.string() })),
})
const certificate = v.object({
  Certificate: v.object({
    Status: v.string(),
    Serial: v.optional(v.string(), ''),
    SubjectAlternativeNames: v.array(v.string()),
    RenewalSummary: v.optional(v.object({ RenewalStatus: v.string() })),
  }),
})
const secrets = v.object({ SecretList: v.array(v.object({ ARN: v.string() })) })
const secret = v.object({
  Name: v.string(),
  DeletedDate: v.optional(v.unknown()),
  Tags: v.optional(v.array(v.object({ Key: v.string(), Value: v.string() })), []),
  VersionIdsToStages: v.optional(v.record(v.string(), v.array(v.string())), {}),
  ReplicationStatus: v.optional(v.array(v.object({ Region: v.string(), Status: v.string() })), []),
})
const value = v.object({ SecretString: v.string() })

/** What must be the same in the end. Serials, ARNs, ids and times are not: they are made anew each time. */
export async function remains(scene: Scene) {
  const { call, crew, waiting } = scene
  const held = v.parse(certificates, await call('acm', 'ListCertificates', EVERY))
  const arns = held.CertificateSummaryList.map(({ CertificateArn }) => CertificateArn)
  const issued = await Promise.all(
    arns.map(async (CertificateArn) => {
      const about = await call('acm', 'DescribeCertificate', { CertificateArn })
      return { CertificateArn, ...v.parse(certificate, about).Certificate }
    }),
  )
  const serials = new Map(
    issued.map((one) => [one.CertificateArn, one.Serial.replaceAll(':', '').replace(/^0+/, '')]),
  )
  const all = await call('secretsmanager', 'ListSecrets', { IncludePlannedDeletion: true })
  const kept = await Promise.all(
    v.parse(secrets, all).SecretList.map(({ ARN }) => keeping(scene, ARN, serials)),
  )
  return {
    certificates: issued.map(({ SubjectAlternativeNames, Status, RenewalSummary }) => [
      ...SubjectAlternativeNames,
      Status,
      RenewalSummary?.RenewalStatus,
    ]),
    secrets: kept,
    services: crew.names().map((name) => [name, ...crew.deployments(name)]),
    left: {
      looks: await waiting('looks'),
      rollouts: await waiting('rollouts.fifo'),
      letters: await waiting('dead-letters'),
    },
  }
}

/** One secret: versions by the order in which they were made, and by what they hold. */
async function keeping({ call }: Scene, arn: string, serials: ReadonlyMap<string, string>) {
  const of = { SecretId: arn }
  const about = v.parse(secret, await call('secretsmanager', 'DescribeSecret', of))
  const tags = Object.fromEntries(about.Tags.map(({ Key, Value }) => [Key, Value]))
  const { source = '', promoted, previous, attempts, rotated, sealed } = readTags(tags) ?? {}
  const { DeletedDate, VersionIdsToStages } = about
  const ids = Object.keys(VersionIdsToStages)
  const place = (id: string | undefined) => (id === undefined ? undefined : ids.indexOf(id))
  const holds = async (id: string) => {
    if (DeletedDate !== undefined || source === 'trust') return undefined
    const read = { ...of, VersionId: id }
    const { SecretString } = v.parse(value, await call('secretsmanager', 'GetSecretValue', read))
    const { facts, sealedPassphrase } = parseBundle(SecretString)
    return {
      latest: facts.serial === serials.get(source)?.toLowerCase(),
      copies: sealedPassphrase?.copies.length,
    }
  }
  return {
    name: about.Name,
    deleted: DeletedDate !== undefined,
    replicas: about.ReplicationStatus.map(({ Region, Status }) => `${Region} ${Status}`),
    versions: await Promise.all(
      Object.entries(VersionIdsToStages).map(async ([id, labels]) => ({
        labels: labels.toSorted(),
        ...(await holds(id)),
      })),
    ),
    source: source === '' || source === 'trust' ? source : serials.has(source),
    on: [promoted, previous, attempts, sealed].map((one) => place(one?.version)),
    rotated: place(rotated?.token),
    failures: attempts?.count,
    // whether a person was called on the way is no part of where it ends
    tags: Object.keys(tags)
      .filter((name) => name !== 'certrelay:attention')
      .sort(),
  }
}
