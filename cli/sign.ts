import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DescribeTasksCommand, ListTasksCommand } from '@aws-sdk/client-ecs'
import { GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { encodeTrust, parseTrust } from '../pki/bundle.ts'
import { parsedObject } from '../pki/json.ts'
import { plainSerial } from '../pki/version.ts'
import { auditLine, join as joined, signatureRecord, trailEvent } from './join.ts'
import { CLUSTER, claim, EXAMPLES, type Found, host, MUTUAL, type Plot, until } from './plot.ts'
import { IMAGE, REGIONS, type Scene } from './scene.ts'
import { get } from './traffic.ts'

const EXAMPLE = join(EXAMPLES, 'edge.yml')
const LABEL = 'edge'
const NAME = 'gateway.mesh.internal'
const SPIFFE = 'spiffe://mesh.internal/edge'

/** Deploys the CA of one more client of color, and so many tasks that make their keys themselves. */
export async function edge({ scene, outputs }: Plot, tasks: number) {
  return scene.aws.deploy({
    name: LABEL,
    template: await readFile(EXAMPLE, 'utf8'),
    parameters: {
      ...{ VpcId: 'vpc-0a1b2c3d4e5f60718', SubnetIds: 'subnet-0a1b2c3d4e5f60718' },
      ...{ EnvoyImage: IMAGE, DesiredCount: String(tasks), CertifiedName: NAME },
      Upstream: `${host(outputs, 'color')}:${MUTUAL}`,
      PeerNames: 'color.mesh.internal',
      TrustSecretArn: outputs['GatewayTrustArn'] ?? '',
    },
  })
}

/**
 * A task makes its own key, and has the CA of its service certify it while KMS of the first region is out: mutual TLS of two real
 * Envoys, one of which had never heard of that CA before. Each use of the CA's key is found in CloudTrail.
 */
export async function sign(plot: Plot): Promise<Found> {
  const { scene, outputs } = plot
  const { aws } = scene
  const [east] = REGIONS
  const began = aws.clock.now()
  const recover = aws.faults.add({ service: 'kms', region: east }, { kind: 'refuse' })
  const { url, anchors, role } = await begin(plot).finally(recover)
  await trusting(scene, outputs['ColorTrustArn'] ?? '', anchors)
  const handshakes = await moved(scene, 'handshake', () =>
    until('color answers a client of the new CA', async () =>
      (await get(url)).status === 200 ? true : undefined,
    ),
  )
  const { serial, region, names, uses } = audited(scene, began)
  claim(region !== east, `the CA's key was used in ${region}, whose KMS is out`)
  claim(names === `${NAME} ${SPIFFE}`, `the CA has certified ${names}`)
  claim(
    plainSerial(serial) === laidOut(scene),
    `the sidecar serves another certificate than serial ${serial}`,
  )
  claim(
    uses.every(({ asked }) => asked.includes(`:assumed-role/${role}/`)),
    'another role than that of the task has asked for the signature',
  )
  return {
    facts: { label: LABEL, serial, region, names, handshakes, joined: uses.length },
    line: `a task made its own key; the CA of edge signed ${serial.slice(0, 8)}… for ${SPIFFE} by ${region} while KMS of ${east} was out; mutual TLS with color; ${uses.length} use${uses.length === 1 ? '' : 's'} of the CA's key, asked for by the task's role, joined with CloudTrail`,
  }
}

/** Starts the task, and has it ask color in vain. */
async function begin({ scene, ...plot }: Plot) {
  const { AnchorsSecretArn: anchors = '', RoleArn = '' } = await edge({ scene, ...plot }, 1)
  const url = `http://${await address(scene)}:8080/`
  await moved(scene, 'fail_verify_error', async () => {
    const answered = await until('edge asks color', async () => {
      const { status } = await get(url)
      return status === 0 ? undefined : status
    })
    claim(answered === 503, `color answered ${answered} to a client of a CA unknown to it`)
  })
  return { url, anchors, role: RoleArn.split('/').at(-1) ?? '' }
}

/** Where the task of edge listens. */
function address({ ecs }: Scene): Promise<string> {
  return until('edge has a task', async () => {
    const list = new ListTasksCommand({ cluster: CLUSTER, serviceName: LABEL })
    const { taskArns: tasks = [] } = await ecs.send(list)
    if (tasks.length === 0) return undefined
    const found = await ecs.send(new DescribeTasksCommand({ cluster: CLUSTER, tasks }))
    const [container] = found.tasks?.[0]?.containers ?? []
    return container?.networkInterfaces?.[0]?.privateIpv4Address
  })
}

/** By how much a counter of TLS of color's Envoy moves for it. */
async function moved(scene: Scene, counter: string, work: () => Promise<unknown>): Promise<number> {
  const name = `listener.in.ssl.${counter}`
  const read = async () => (await scene.counters('color', /^listener\.in\.ssl\./)).get(name) ?? 0
  const before = await read()
  await work()
  return until(`${name} of color moves`, async () => (await read()) - before || undefined)
}

/** Adds the anchors of one trust bundle to another. */
async function trusting({ secrets }: Scene, to: string, from: string): Promise<void> {
  const read = async (SecretId: string) => {
    const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId }))
    return parseTrust(SecretString)
  }
  const [there, more] = await Promise.all([read(to), read(from)])
  const SecretString = encodeTrust({ ...there, anchors: `${there.anchors}${more.anchors}` })
  await secrets.send(new PutSecretValueCommand({ SecretId: to, SecretString }))
}

/** The one signature, and the uses of the CA's key for it. @throws False when CloudTrail and the audit tell of different ones */
function audited({ aws }: Scene, since: number) {
  const lines = aws
    .lines({ group: '/aws/lambda/certrelay-sign' })
    .filter(({ time }) => time >= since)
    .map(({ message }) => message)
  const records = lines.flatMap((line) => signatureRecord(line) ?? [])
  const [record] = records
  claim(records.length === 1, `certrelay-sign has ${records.length} records of one signature`)
  claim(record?.outcome === 'ok', `its outcome is ${record?.outcome}, not ok`)
  const { serial = '', names = '' } = record ?? {}
  const events = aws
    .events()
    .filter(({ time }) => time >= since)
    .flatMap((one) => trailEvent(JSON.stringify(one.record)) ?? [])
    .filter(({ requestParameters }) => requestParameters?.encryptionContext['ca'] === LABEL)
  const all = joined(
    lines.flatMap((line) => auditLine(line) ?? []).filter(({ ca }) => ca === LABEL),
    events,
    records,
  )
  const odd = all.find((use) => use.join === 'no-line' || use.join === 'no-event')
  claim(odd === undefined, `the audit and CloudTrail disagree on request ${odd?.kmsRequestId}`)
  const uses = all.filter((use) => use.join === 'joined' && use.serial === serial)
  claim(uses.length > 0, "CloudTrail knows no use of the CA's key for this signature")
  return { serial, names, region: uses[0]?.region ?? '', uses }
}

/** Serial of what the sidecar of edge has handed to its Envoy, as its record tells. */
function laidOut({ aws }: Scene): string {
  const records = aws
    .lines({ group: `/ecs/${CLUSTER}/${LABEL}` })
    .map(({ message }) => parsedObject(message))
    .filter((line) => line?.['action'] === 'hand-over' && line['outcome'] === 'ok')
  return String(records.at(-1)?.['serial'] ?? '')
}
