import { GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { encodeTrust, parseTrust } from '../pki/bundle.ts'
import { parsedObject } from '../pki/json.ts'
import { claim, type Found, host, MUTUAL, type Plot, until } from './plot.ts'
import { REGIONS, type Scene } from './scene.ts'
import { identityIn } from './service.ts'
import { knock } from './traffic.ts'

const USAGES = ['signing', 'server auth', 'client auth']
/** What a user writes: a CA for a service, and a certificate by it whose key ACM never had. */
const TEMPLATE = {
  Resources: {
    Authority: {
      Type: 'Custom::ServiceAuthority',
      Properties: {
        ServiceToken: { 'Fn::ImportValue': 'certrelay-authority-authority' },
        ServiceTimeout: 120,
        Label: 'billing',
        // Envoy goes by the machine's clock, and the story's is a day ahead of it by then
        Config: { signing: { default: { usages: USAGES, backdate: '2400h', expiry: '4800h' } } },
      },
    },
    Certificate: {
      Type: 'Custom::ClientCertificate',
      Condition: 'Certified',
      Properties: {
        ServiceToken: { 'Fn::ImportValue': 'certrelay-certificate' },
        ServiceTimeout: 120,
        Name: 'gateway.mesh.internal',
        Authority: { 'Fn::GetAtt': ['Authority', 'Label'] },
        Secret: 'mesh/billing',
      },
    },
  },
  Parameters: { Certify: { Type: 'String', Default: 'no' } },
  Conditions: { Certified: { 'Fn::Equals': [{ Ref: 'Certify' }, 'yes'] } },
  Outputs: { Trust: { Value: { 'Fn::GetAtt': ['Authority', 'TrustSecretArn'] } } },
}

/** Deploys the CA of a service, and when asked the certificate by it. */
export function billing({ aws }: Scene, Certify: 'yes' | 'no') {
  return aws.deploy({ name: 'billing', template: TEMPLATE, parameters: { Certify } })
}

/**
 * A CA for one service, and a certificate by it while KMS of the first region is out: mutual TLS with the real Envoy of color,
 * which has never heard of that CA before. Each use of the CA's key is found in CloudTrail.
 */
export async function sign({ scene, outputs }: Plot): Promise<Found> {
  const { aws } = scene
  const [east] = REGIONS
  const began = aws.clock.now()
  const recover = aws.faults.add({ service: 'kms', region: east }, { kind: 'refuse' })
  const { Trust = '' } = await billing(scene, 'yes').finally(recover)
  const identity = await identityIn(scene, 'mesh/billing')
  const color = host(outputs, 'color')
  claim(!(await knock(color, MUTUAL, identity)), 'color answered a client of a CA unknown to it')
  await trusting(scene, outputs['ColorTrustArn'] ?? '', Trust)
  await until('color answers a client of the new CA', async () =>
    (await knock(color, MUTUAL, identity)) ? true : undefined,
  )
  const { serial, region, joined } = audited(scene, began)
  return {
    facts: { label: 'billing', serial, region, joined },
    line: `a CA for billing signed ${serial.slice(0, 8)}… by ${region} while KMS of ${east} was out; mutual TLS with color; ${joined} use${joined === 1 ? '' : 's'} of its key joined with CloudTrail`,
  }
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

/** The one signature, and what CloudTrail says of the requests to KMS that it names. @throws False when it knows one not */
function audited({ aws }: Scene, since: number) {
  const lines = aws
    .lines({ group: '/aws/lambda/certrelay-sign' })
    .filter(({ time }) => time >= since)
    .map(({ message }) => parsedObject(message))
    .filter((line) => line?.['action'] === 'sign' && line['label'] === 'billing')
  const [line] = lines
  const text = (name: string) => String(line?.[name] ?? '')
  claim(lines.length === 1, `certrelay-sign has ${lines.length} records of one signature`)
  claim(text('outcome') === 'ok', `its outcome is ${text('outcome')}, not ok`)
  const ids = text('kmsRequestIds').split(' ').filter(Boolean)
  const trail = new Set(aws.events().map(({ record }) => String(record['requestID'])))
  const unknown = ids.find((id) => !trail.has(id))
  claim(unknown === undefined, `CloudTrail knows no request ${unknown}`)
  claim(ids.length > 0, 'the record names no request to KMS')
  return { serial: text('serial'), region: text('region'), joined: ids.length }
}
