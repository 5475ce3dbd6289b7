import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  DescribeCertificateCommand,
  ExportCertificateCommand,
  RequestCertificateCommand,
} from '@aws-sdk/client-acm'
import { authority, leaf } from '../local/x509/x509.ts'
import { passphrase } from '../pki/passphrase.ts'
import { plainSerial } from '../pki/version.ts'
import {
  changed,
  claim,
  current,
  EXAMPLES,
  each,
  type Found,
  host,
  MOMENT,
  MUTUAL,
  type Plot,
  rolledOut,
  rotateHot,
  SERVICES,
  type Step,
  unharmed,
  until,
  url,
} from './plot.ts'
import { IMAGE, type Scene } from './scene.ts'
import { isolated, newKeys } from './service.ts'
import { edge } from './sign.ts'
import { get, knock, load, servedSerial } from './traffic.ts'
import { weigh } from './weigh.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
/** So long after their issue ACM renews certificates, which live 395 days. */
const BEFORE = 335 * DAY
/** How long before now the story begins: Envoy goes by the machine's clock, and nothing is issued ahead of it. Milliseconds. */
export const PAST = BEFORE + DAY + 3 * HOUR
const EXAMPLE = join(EXAMPLES, 'two-services.yml')

/** The steps in their order, by the names that `--json` prints. */
export const STEPS: Readonly<Record<string, Step>> = {
  deploy,
  issue,
  serve,
  refuse,
  renew,
  rollout,
}

async function deploy(plot: Plot): Promise<Found> {
  const { aws, artifacts } = plot.scene
  const keys = await newKeys(plot.scene, 'seals passphrases')
  const SignFunction = await isolated(plot.scene)
  const template = await readFile(
    join(artifacts, 'cloudformation-template-update-stack.json'),
    'utf8',
  )
  const Keys = keys.join(',')
  await aws.deploy({
    name: 'certrelay',
    template,
    parameters: { Org: 'acme', Keys, MinRegions: '1', Coalesce: '1', SignFunction },
  })
  plot.outputs = await aws.deploy({
    name: 'two-services',
    template: await readFile(EXAMPLE, 'utf8'),
    parameters: { ...EXAMPLE_PARAMETERS, Org: 'acme', Keys, Hot: 'true' },
  })
  await edge(plot, 0)
  await rotateHot(plot, false) // the first renewals are to be seen as deployments
  const { Resources } = JSON.parse(template)
  const count = (type: string) =>
    Object.values(Resources).filter((one) => typeOf(one) === type && !isOptional(one)).length
  const functions = count('AWS::Lambda::Function')
  const rules = count('AWS::Events::Rule')
  const bundleBytes = Math.max(...Object.values(await weigh(artifacts)))
  claim(
    bundleBytes < 1_000_000,
    `the largest bundle has ${bundleBytes} bytes, not less than 1,000,000`,
  )
  return {
    facts: { functions, rules, bundleBytes },
    line: `${functions} functions, ${rules} rules, largest bundle ${Math.round(bundleBytes / 1000)} kB; two CA hierarchies and a CA of our own, two services`,
  }
}

const EXAMPLE_PARAMETERS = {
  VpcId: 'vpc-0a1b2c3d4e5f60718',
  SubnetIds: 'subnet-0a1b2c3d4e5f60718,subnet-1a1b2c3d4e5f60718',
  EnvoyImage: IMAGE,
  DeregistrationDelay: '1',
}

async function issue({ scene, outputs }: Plot): Promise<Found> {
  const facts = await each(async (service) => {
    const { serial, notAfter, keyAlgorithm } = (await current(scene, outputs, service)).facts
    return { serial, notAfter, keyAlgorithm }
  })
  const line = SERVICES.map(
    (service) => `${service} ${facts[service].keyAlgorithm} until ${day(facts[service].notAfter)}`,
  )
  return { facts, line: line.join(', ') }
}

async function serve({ scene, outputs }: Plot): Promise<Found> {
  const { status, body, error } = await get(url(outputs))
  claim(status === 200, `a request through gateway to color answered ${error ?? status}, not 200`)
  const stats = await scene.counters('color', /^listener\.in\.ssl\.(handshake|no_certificate)$/)
  const handshake = stats.get('listener.in.ssl.handshake') ?? 0
  const noCertificate = stats.get('listener.in.ssl.no_certificate') ?? 0
  claim(handshake >= 1, `color's Envoy counted ${handshake} handshakes, not 1 or more`)
  claim(
    noCertificate === 0,
    `color's Envoy counted ${noCertificate} clients without certificate, not 0`,
  )
  return {
    facts: { status, body: body.trim(), handshake, noCertificate },
    line: `gateway → color by mutual TLS: ${status}, ${handshake} handshake${handshake === 1 ? '' : 's'}, all with a client certificate`,
  }
}

async function refuse(plot: Plot): Promise<Found> {
  const { scene, outputs } = plot
  const foreign = await stranger()
  const clients = {
    without: { identity: {}, counter: 'fail_verify_no_cert' },
    foreign: { identity: foreign, counter: 'fail_verify_error' },
    wrongName: { identity: await namesake(plot), counter: 'fail_verify_san' },
  }
  const facts: Record<string, { counter: string; moved: number }> = {}
  for (const [name, { identity, counter }] of Object.entries(clients)) {
    const full = `listener.in.ssl.${counter}`
    const read = async () =>
      (await scene.counters('color', /^listener\.in\.ssl\.fail_/)).get(full) ?? 0
    const before = await read()
    const answered = await knock(host(outputs, 'color'), MUTUAL, identity)
    claim(!answered, `color answered a client that is ${name}`)
    const moved = await until(`${full} of color moves for the client ${name}`, async () => {
      await unharmed(scene) // an Envoy that is not there refuses everybody
      return Math.max(0, (await read()) - before) || undefined
    })
    facts[name] = { counter, moved }
  }
  return {
    facts,
    line: 'refused: no certificate, a foreign CA, a wrong name (fail_verify_no_cert, _error, _san)',
  }
}

async function renew(plot: Plot): Promise<Found> {
  const { scene, outputs } = plot
  const before = await each((service) => current(scene, outputs, service))
  await unharmed(scene) // a year from now AWS has forgotten who stopped today
  plot.load = load(url(outputs))
  await scene.aws.clock.advance(BEFORE)
  const after = await each((service) => changed(scene, outputs, service, before[service].version))
  const facts = await each(async (service) => {
    const label = 'AWSCURRENT'
    const serialBefore = before[service].facts.serial
    const serialAfter = after[service].facts.serial
    const acm = await scene.acm.send(
      new DescribeCertificateCommand({ CertificateArn: after[service].facts.source }),
    )
    claim(serialAfter !== serialBefore, `${service}: the serial has not changed`)
    claim(
      plainSerial(acm.Certificate?.Serial ?? '') === serialAfter,
      `${service}: the secret holds another serial than ACM`,
    )
    claim(
      after[service].labels.includes(label),
      `${service}: version ${after[service].version} is not ${label}`,
    )
    return {
      serialBefore,
      serialAfter,
      versionBefore: before[service].version,
      versionAfter: after[service].version,
      label,
      wokenBy: wokenBy(scene, after[service].facts.source),
    }
  })
  return {
    facts,
    line: `${BEFORE / DAY} days later ACM renewed both and said so; checked, promoted: ${SERVICES.map((one) => `${one} ${facts[one].serialAfter.slice(0, 8)}…`).join(', ')}`,
  }
}

const RENEWED = 'ACM Certificate Available'

/** The event that made `reconcile` look at a certificate, read from its log. */
function wokenBy({ aws }: Scene, source: string): string {
  const lines = aws.lines({ group: '/aws/lambda/certrelay-reconcile' })
  const woken = lines.find(({ message }) =>
    [`"message":"woken"`, source, RENEWED].every((part) => message.includes(part)),
  )
  claim(woken !== undefined, `no event ${RENEWED} woke reconcile for ${source}`)
  return RENEWED
}

async function rollout({ scene, outputs, load: traffic }: Plot): Promise<Found> {
  if (traffic === undefined) throw new TypeError('renew starts the traffic')
  const began = await Promise.all(
    SERVICES.map((service) => until(`${service} is rolled out`, () => rolledOut(scene, service))),
  )
  const deployments = began.reduce((sum, count) => sum + count, 0)
  const { requests, failed, failures } = await traffic.stop()
  const serialAfter = (await current(scene, outputs, 'color')).facts.serial
  const shown = await servedSerial(host(outputs, 'color'), MUTUAL)
  claim(
    deployments === SERVICES.length,
    `there were ${deployments} deployments, not one for each service`,
  )
  claim(requests > 0, 'no request was made during the rollout')
  claim(
    failed === 0,
    `${failed} of ${requests} requests failed during the rollout: ${failures.join('; ')}`,
  )
  claim(shown === serialAfter, `color shows serial ${shown}, and its secret holds ${serialAfter}`)
  return {
    facts: { deployments, requests, failed, servedSerial: shown, serialAfter },
    line: `one deployment for each service, ${requests} requests, ${failed} failed; color shows ${shown.slice(0, 8)}…`,
  }
}

/** A client of a CA that color has never heard of. */
async function stranger() {
  const now = Date.now()
  const ca = await authority({ name: 'Foreign Root', notBefore: now - DAY, notAfter: now + DAY })
  const { certificate, chain, privateKeyPem } = await leaf({
    parent: ca,
    names: ['gateway.mesh.internal'],
    notBefore: now - DAY,
    notAfter: now + DAY,
  })
  return { cert: [certificate, ...chain].join('\n'), key: privateKeyPem }
}

/** A client of the right CA with a wrong name. */
async function namesake({ scene, outputs }: Plot) {
  const source = (await current(scene, outputs, 'gateway')).facts.source
  const { Certificate } = await scene.acm.send(
    new DescribeCertificateCommand({ CertificateArn: source }),
  )
  const request = new RequestCertificateCommand({
    DomainName: 'somebody.else.internal',
    CertificateAuthorityArn: Certificate?.CertificateAuthorityArn,
    ...(Certificate?.KeyAlgorithm?.startsWith('EC') && { KeyAlgorithm: 'EC_prime256v1' as const }),
  })
  const { CertificateArn } = await scene.acm.send(request)
  const secret = passphrase(randomBytes(32))
  const exported = await until('the certificate with the wrong name is issued', async () => {
    const command = new ExportCertificateCommand({ CertificateArn, Passphrase: secret.reveal() })
    await scene.aws.clock.advance(MOMENT)
    return scene.acm.send(command).catch(() => undefined)
  })
  return {
    cert: `${exported.Certificate}\n${exported.CertificateChain}`,
    key: exported.PrivateKey ?? '',
    passphrase: Buffer.from(secret.reveal()).toString('utf8'),
  }
}

function day(iso: string): string {
  return iso.slice(0, 10)
}

/** Made only when a parameter asks for it. */
function isOptional(resource: unknown): boolean {
  return typeof resource === 'object' && resource !== null && 'Condition' in resource
}

function typeOf(resource: unknown): unknown {
  return typeof resource === 'object' && resource !== null && 'Type' in resource
    ? resource.Type
    : undefined
}
