import { randomBytes, randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { clientCertificate } from '../../events/certificate.ts'
import { trustBundle } from '../../events/trust.ts'
import { encodeTrust } from '../../pki/bundle.ts'
import { trustOf } from '../../pki/source.ts'
import { readTags, writeTags } from '../../pki/tags.ts'
import { certificate } from '../../workflows/certificate.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { retry } from '../../workflows/retry.ts'
import { settle } from '../../workflows/settle.ts'
import { sweep } from '../../workflows/sweep.ts'
import { trust } from '../../workflows/trust.ts'
import type { Scene } from './struck.ts'

/** Something that is done, and may be done again. */
export type Deed = (scene: Scene) => Promise<unknown>

/** What is done before, and what is struck. */
export interface Case {
  readonly prepare?: Deed
  readonly deed: Deed
  /** A person does it, who tries again whatever the answer was. */
  readonly byHand?: boolean
}

const MINUTE = 60_000
const DAY = 86_400_000
const NAME = 'mesh/color'
const SERVICES = ['mesh/color', 'mesh/gateway']
const AWAY = ['us-west-2']
const OWNER = '11111111-aaaa-bbbb-cccc-222222222222/Identity'

type Properties = Readonly<Record<string, unknown>>
/** As CloudFormation asks: every delivery of one request has the same token. */
const asks = <P>(properties: P, physicalId?: string) => ({
  ...{ owner: OWNER, last: false, properties },
  token: randomBytes(16).toString('hex'),
  type: physicalId === undefined ? ('create' as const) : ('update' as const),
  ...(physicalId !== undefined && { physicalId }),
})
const wish = ({ aws, authority }: Scene, more: Properties = {}, physicalId?: string) => {
  const known = { Name: 'color.mesh.internal', Authority: authority, Secret: NAME }
  const properties = {
    ...known,
    Services: SERVICES,
    Tags: [{ Key: 'team', Value: 'red' }],
    ...more,
  }
  return asks(
    clientCertificate(properties, { region: 'us-east-1', account: aws.account }),
    physicalId,
  )
}
const then =
  (...deeds: readonly Deed[]): Deed =>
  async (scene) => {
    for (const deed of deeds) await deed(scene)
  }
const pass =
  (milliseconds: number): Deed =>
  ({ aws }) =>
    aws.clock.advance(milliseconds)

const secret = v.object({
  ARN: v.string(),
  Tags: v.array(v.object({ Key: v.string(), Value: v.string() })),
})
async function known({ call }: Scene) {
  const about = await call('secretsmanager', 'DescribeSecret', { SecretId: NAME })
  const { ARN: arn, Tags } = v.parse(secret, about)
  const tags = Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]))
  return { arn, source: readTags(tags)?.source ?? '' }
}

const look: Deed = async (scene) =>
  reconcile(scene.ports(), { secret: (await known(scene)).arn }, () => 100_000)
const served: Deed = async ({ crew }) => SERVICES.forEach(crew.serve)
/** A secret that two services run with. */
const made = (more?: Properties): Deed =>
  then(
    (scene) => certificate.make(scene.ports(), wish(scene, more)),
    pass(MINUTE),
    served,
    pass(MINUTE),
    look,
  )
/** An authority of our own, whose anchors are published. */
const OWN = 'certrelay:db'
const trusted: Deed = async ({ call, root }) => {
  const Tags = Object.entries(writeTags({ source: 'trust' })).map(([Key, Value]) => ({
    Key,
    Value,
  }))
  const SecretString = encodeTrust({ format: 1, anchors: root })
  const Name = trustOf({ label: 'db' })
  await call('secretsmanager', 'CreateSecret', { Name, SecretString, Tags })
}
const renewed = then(async (scene) => {
  const CertificateArn = (await known(scene)).source
  await scene.call('acm', 'RenewCertificate', { CertificateArn })
}, pass(1_000))
/** Its renewed certificate is current, and its deployments have begun. */
const rolling = then(
  ...[made(), renewed, look, pass(2 * MINUTE)],
  async (scene) => {
    while ((await scene.deliver('rollouts.fifo')) > 0) await scene.aws.clock.advance(1_000)
  },
  pass(MINUTE),
)
const end = (well: boolean, ...names: readonly string[]): Deed =>
  then(async ({ crew }) => {
    for (const name of names) crew.end(name, well)
  }, pass(1_000))
const settling: Deed = (scene) => settle(scene.ports(), { service: 'mesh/color' })
const undone = then(rolling, end(false, 'mesh/color'), settling, pass(MINUTE))

/** A message waits for `reconcile`, and is taken: what is not finished comes again by the queue's doing. */
const woken: Deed = async (scene) => {
  const { source } = await known(scene)
  const event = {
    ...{ version: '0', id: randomUUID(), source: 'aws.acm', account: scene.aws.account },
    ...{ region: 'us-east-1', time: new Date(scene.aws.clock.now()).toISOString() },
    ...{ 'detail-type': 'ACM Certificate Available', resources: [source], detail: {} },
  }
  await scene.post('looks', JSON.stringify(event))
}
const asked: Deed = async (scene) => {
  const { arn } = await known(scene)
  await scene.post('looks', JSON.stringify({ certrelay: 'look', secret: arn }))
}
const takes: Deed = ({ deliver }) => deliver('looks')

/** The request is made once, and comes again as it was. */
function again<R>(
  request: (scene: Scene) => Promise<R> | R,
  answer: (scene: Scene, request: R) => Promise<unknown>,
): Deed {
  let made: Promise<R> | undefined
  return async (scene) => {
    made ??= Promise.resolve(request(scene))
    return answer(scene, await made)
  }
}
const created = (more?: Properties) =>
  again(
    (scene) => wish(scene, { ReplicaRegions: AWAY, ...more }),
    (scene, request) => certificate.make(scene.ports(), request),
  )
const updated = (more: Properties) =>
  again(
    async (scene) => wish(scene, more, (await known(scene)).arn),
    (scene, request) => certificate.make(scene.ports(), request),
  )
const removed = () =>
  again(
    async (scene) => ({ owner: OWNER, physicalId: (await known(scene)).arn }),
    (scene, request) => certificate.remove(scene.ports(), request),
  )
const published = () =>
  again(
    ({ aws, authority }) => {
      const properties = { Authorities: [authority], Secret: 'mesh/trust' }
      return asks(trustBundle(properties, { region: 'us-east-1', account: aws.account }))
    },
    (scene, request) => trust.make(scene.ports(), request),
  )
/** Secrets Manager begins a rotation; its first try has ACM renew, its second one finds the new certificate. */
const rotation: Deed = async (scene) => {
  const { arn } = await known(scene)
  const RotationRules = { AutomaticallyAfterDays: 300 }
  const ask = { SecretId: arn, RotationLambdaARN: scene.rotator, RotationRules }
  await scene.call('secretsmanager', 'RotateSecret', ask)
  await scene.aws.clock.advance(MINUTE + 1_000)
}

/** Each workflow in what it is for. Made anew each time: a deed remembers the request that comes again. */
export const CASES: Readonly<Record<string, () => Case>> = {
  'a create': () => ({ prepare: served, deed: created() }),
  'an update of the name': () => ({
    prepare: made(),
    deed: updated({ Name: 'red.mesh.internal', ReplicaRegions: AWAY }),
  }),
  'a delete': () => ({ prepare: made({ ReplicaRegions: AWAY }), deed: removed() }),
  'the publication of anchors': () => ({ deed: published() }),
  'a look at a new serial': () => ({ prepare: then(made(), renewed, woken), deed: takes }),
  'a look at one that is due': () => ({
    prepare: then(made({ RenewBefore: '300' }), pass(135 * DAY), asked),
    deed: takes,
  }),
  'a create by an authority of our own': () => ({
    prepare: then(trusted, served, pass(MINUTE)),
    deed: created({ Authority: OWN }),
  }),
  'a look at one of its that is due': () => ({
    prepare: then(trusted, made({ Authority: OWN }), pass(21 * DAY), asked),
    deed: takes,
  }),
  'the start of deployments': () => ({
    prepare: then(made(), renewed, look, pass(2 * MINUTE)),
    deed: ({ deliver }) => deliver('rollouts.fifo'),
  }),
  'the end of rollouts': () => ({
    prepare: then(rolling, end(true, ...SERVICES)),
    deed: settling,
  }),
  'the end of a rollout that failed': () => ({
    prepare: then(rolling, end(true, 'mesh/gateway'), end(false, 'mesh/color')),
    deed: settling,
  }),
  'a rotation': () => ({ prepare: made(), deed: rotation }),
  'a sweep': () => ({
    prepare: then(made(), renewed, pass(DAY)),
    deed: (scene) => sweep(scene.ports()),
  }),
  'a retry': () => ({
    prepare: undone,
    deed: (scene) => retry(scene.ports(), { secret: NAME }),
    byHand: true,
  }),
}
