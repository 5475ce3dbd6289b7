import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateKeyCommand } from '@aws-sdk/client-kms'
import { REGIONS, type Scene } from './scene.ts'

/** A key of KMS in each region. */
export function newKeys({ kms }: Scene, what: string): Promise<readonly string[]> {
  return Promise.all(
    REGIONS.map(async (region) => {
      const { KeyMetadata } = await kms(region).send(new CreateKeyCommand({ Description: what }))
      return KeyMetadata?.Arn ?? ''
    }),
  )
}

/** Deploys the stack of the signing authority. Returns the ARN of the function that signs. */
export async function isolated(scene: Scene): Promise<string> {
  const keys = await newKeys(scene, 'seals CA keys')
  const template = join(scene.beside, 'cloudformation-template-update-stack.json')
  const outputs = await scene.aws.deploy({
    name: 'certrelay-authority',
    template: await readFile(template, 'utf8'),
    parameters: { Org: 'acme', Keys: keys.join(',') },
  })
  return outputs['SignFunction'] ?? ''
}
