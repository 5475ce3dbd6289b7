import { DescribeCertificateCommand, RenewCertificateCommand } from '@aws-sdk/client-acm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { stray } from '../../cli/stray.ts'
import { knock, taskRole } from '../support/knock.ts'
import { keyOf, passphraseOf } from '../support/opened.ts'
import { HOME, type Stage, stage } from '../support/stage.ts'

const MINUTE = 60_000

let on: Stage
let tampering = false
/** Every spelling of every private key and passphrase that was really used. */
const needles = new Set<string>()
/** What went wrong on the way, as a person saw it. */
const complaints: string[] = []
/** What the function that hands over answered: in vain, and to who is entitled. */
const refusals: string[] = []
let handed = ''

beforeAll(async () => {
  on = await stage({ flow: true, sealing: true, handOver: true, acm: { tamper } })
  await issued()
  await renewed()
  await troubled()
  await handedOver()
}, 120_000)

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

async function tamper<T extends { readonly action: string }>(issued: T) {
  if (!tampering || issued.action !== 'RENEWAL') return issued
  return stray(on.aws.clock.now())
}

/** Stacks that succeed and that fail, and an update. */
async function issued(): Promise<void> {
  const deploy = (name: string, properties: Readonly<Record<string, unknown>>) => {
    const Properties = {
      ServiceToken: { 'Fn::ImportValue': 'certrelay-certificate' },
      ...properties,
    }
    const template = { Resources: { Identity: { Type: 'Custom::ClientCertificate', Properties } } }
    return on.aws.deploy({ name, template }).catch((error: Error) => complaints.push(error.message))
  }
  await deploy('good', on.wish('color', { Roles: ['color-task'] }))
  await remember('color')
  await deploy('taken', on.wish('color'))
  await deploy('bad', on.wish('bad', { Name: 'nodot' }))
  const Name = 'blue.mesh.internal'
  await deploy('good', on.wish('color', { Name, Roles: ['color-task'] }))
  await remember('color')
}

/** A renewal, and one that is rejected. */
async function renewed(): Promise<void> {
  const { source } = (await on.bundle('color')).facts
  for (const bad of [false, true]) {
    tampering = bad
    const before = said(bad ? 'rejected' : 'promoted')
    await on.acm.send(new RenewCertificateCommand({ CertificateArn: source }))
    // on a busy machine the event may still be on its way when a minute is over
    while (said(bad ? 'rejected' : 'promoted') === before) await on.elapse(MINUTE)
    await remember('color')
  }
}

/** How often the functions have logged this word. */
function said(word: string): number {
  return on.aws.lines().filter(({ message }) => message.includes(`"message":"${word}"`)).length
}

/** Failures in the middle of work, when a passphrase is at hand. */
async function troubled(): Promise<void> {
  const operations = ['ExportCertificate', 'Encrypt', 'PutSecretValue', 'GetSecretValue', 'Decrypt']
  tampering = false
  const { source } = (await on.bundle('color')).facts
  for (const operation of operations) {
    await renewable(source)
    on.aws.faults.add({ operation, times: 3 }, { kind: 'lost' })
    await on.acm.send(new RenewCertificateCommand({ CertificateArn: source }))
    await on.elapse(MINUTE)
    on.aws.faults.clear()
    await on.elapse(15 * MINUTE)
    await remember('color')
  }
  const refused = on.aws.faults.add(
    { operation: 'PutSecretValue' },
    { kind: 'error', status: 400, code: 'AccessDeniedException' },
  )
  await on.desk.ask('certrelay-certificate', { properties: on.wish('refused') })
  refused()
  await on.send('junk')
  await on.elapse(MINUTE)
}

/** Hand-overs by IAM: to who is entitled, to who is not, and while every call of the function fails once. */
async function handedOver(): Promise<void> {
  const color = taskRole(on, 'color-task')
  handed = (await knock(on, color, 'color')).text
  refusals.push((await knock(on, taskRole(on, 'other-task'), 'color')).text)
  for (const operation of ['DescribeSecret', 'GetSecretValue', 'Decrypt']) {
    on.aws.faults.add({ operation }, { kind: 'error', status: 400, code: 'ValidationException' })
    refusals.push((await knock(on, color, 'color')).text)
    on.aws.faults.clear()
  }
}

/** Only what was exported can be renewed: on a busy machine the export may still be on its way. */
async function renewable(CertificateArn: string): Promise<void> {
  const look = async () => {
    const { Certificate } = await on.acm.send(new DescribeCertificateCommand({ CertificateArn }))
    return Certificate?.RenewalEligibility
  }
  while ((await look()) !== 'ELIGIBLE') await on.elapse(MINUTE)
}

async function remember(secret: string): Promise<void> {
  for (const version of (await on.kept(secret)).versions) {
    const { privateKey } = await on.bundle(secret, version)
    const key = await keyOf(on, secret, { version })
    const { d = '' } = key.export({ format: 'jwk' })
    const secrets = [
      await passphraseOf(on, secret, { version }),
      key.export({ type: 'pkcs8', format: 'der' }),
      Buffer.from(d, 'base64url'),
    ]
    for (const bytes of secrets) {
      for (const way of ['base64', 'base64url', 'hex'] as const) needles.add(bytes.toString(way))
    }
    needles.add((await passphraseOf(on, secret, { version })).toString())
    const plain = key.export({ type: 'pkcs8', format: 'pem' }).toString()
    for (const line of `${plain}\n${privateKey}`.split('\n')) {
      if (line.length === 64) needles.add(line)
    }
  }
}

/** Everything that people and machines other than readers of the secret can see. */
async function sinks(): Promise<Readonly<Record<string, string>>> {
  const stacks = await Promise.all(
    ['certrelay', 'good'].map((StackName) =>
      on.aws.call('cloudformation', 'DescribeStackEvents', { StackName }, { region: HOME }),
    ),
  )
  return {
    logs: on.aws
      .lines()
      .map(({ message }) => message)
      .join('\n'),
    trail: JSON.stringify(on.aws.events()),
    letters: JSON.stringify(await on.letters()),
    stacks: JSON.stringify(stacks),
    answers: on.desk.written.join('\n'),
    complaints: complaints.join('\n'),
    refusals: refusals.join('\n'),
    tags: JSON.stringify(await on.kept('color')),
  }
}

function leaks(seen: Readonly<Record<string, string>>): string[] {
  return Object.entries(seen).flatMap(([sink, text]) =>
    [...needles].some((needle) => text.includes(needle)) ? [sink] : [],
  )
}

it('no private key and no passphrase that was really used is in any log, record, answer or letter', async () => {
  const seen = await sinks()

  expect(leaks(seen)).toEqual([])
  expect(Object.entries(seen).filter(([, text]) => text.length < 100)).toEqual([])
  expect(seen['complaints']).toMatch(/SECRET_TAKEN.*PROPERTY_INVALID/s)
  expect(seen['logs']).toMatch(/"message":"rejected"/)
  expect(seen['logs']).toMatch(/"message":"comes-again"/)
  expect(needles.size).toBeGreaterThan(8 * 12)
  expect(refusals.every((text) => text.startsWith('{"code":'))).toBe(true)
})

it('but in the one reply to a role that is entitled to it', () => {
  expect(leaks({ handed })).toEqual(['handed'])
})

it('and one that is would be found', async () => {
  const spare = await passphraseOf(on, 'color')

  on.aws.log(HOME, 'control', 'stream', JSON.stringify({ passphrase: spare.toString() }))

  expect(leaks(await sinks())).toEqual(['logs'])
})
