import { ACMClient, RequestCertificateCommand } from '@aws-sdk/client-acm'
import { ACMPCAClient } from '@aws-sdk/client-acm-pca'
import { CreateClusterCommand, ECSClient } from '@aws-sdk/client-ecs'
import { CreateKeyCommand, DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { CreateQueueCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { expect, test } from 'vitest'
import { type Local, start } from '../../local/index.ts'
import { allowAcm, root } from '../support/ceremony.ts'
import { client } from '../support/client.ts'

/** The names that a run gives and what its faults strike; `noise` are calls in between that ask for nothing new. */
async function run(seed: number, noise: number) {
  const aws = await start({ seed, clock: { start: Date.UTC(2026, 0, 1) } })
  const place = client(aws)
  const [acm, keys, secrets] = [
    new ACMClient(place),
    new KMSClient(place),
    new SecretsManagerClient(place),
  ]
  const [pca, queues, ecs] = [new ACMPCAClient(place), new SQSClient(place), new ECSClient(place)]
  try {
    const authority = await root(pca, aws.clock)
    await allowAcm(pca, authority)
    const key = (await keys.send(new CreateKeyCommand({ MultiRegion: true }))).KeyMetadata?.Arn
    for (let count = 0; count < noise; count++)
      await keys.send(new DescribeKeyCommand({ KeyId: key }))
    const { QueueUrl = '' } = await queues.send(new CreateQueueCommand({ QueueName: 'q' }))
    const request = new RequestCertificateCommand({
      DomainName: 'a.example',
      CertificateAuthorityArn: authority,
    })
    const found = [
      authority,
      key,
      (await keys.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId,
      (await acm.send(request)).CertificateArn,
      (await secrets.send(new CreateSecretCommand({ Name: 's', SecretString: 'x' }))).ARN,
      (await queues.send(new SendMessageCommand({ QueueUrl, MessageBody: 'x' }))).MessageId,
      (await ecs.send(new CreateClusterCommand({ clusterName: 'c' }))).cluster?.clusterArn,
      aws.iam.administrator.accessKeyId,
    ]
    return { found, struck: await struck(aws, keys, noise) }
  } finally {
    for (const sdk of [acm, keys, secrets, pca, queues, ecs]) sdk.destroy()
    await aws.close()
  }
}

/** Which of forty calls a fault strikes, with calls of another operation between them that it may strike too. */
async function struck(aws: Local, keys: KMSClient, noise: number): Promise<string> {
  const away = aws.faults.add({ service: 'kms', share: 0.3 }, { kind: 'throttle' })
  let marks = ''
  for (let count = 0; count < 40; count++) {
    for (let between = 0; between < noise; between++)
      await keys.send(new CreateKeyCommand({})).catch(() => undefined)
    const key = new DescribeKeyCommand({ KeyId: 'alias/none' })
    const error: unknown = await keys.send(key).catch((thrown: unknown) => thrown)
    marks += error instanceof Error && error.name === 'ThrottlingException' ? 'x' : '.'
  }
  away()
  return marks
}

test('the same seed gives the same names and strikes the same calls, whatever else is asked meanwhile', async () => {
  const [one, again, other] = [await run(7, 0), await run(7, 2), await run(8, 0)]

  expect(again).toEqual(one)
  expect(other.struck).not.toBe(one.struck)
  expect(other.found.filter((name) => one.found.includes(name))).toEqual([
    'arn:aws:ecs:us-east-1:111122223333:cluster/c',
  ])
  expect(one.struck).toMatch(/^(?=.*x)(?=.*\.)[x.]{40}$/)
})
