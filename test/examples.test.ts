import { glob, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { packaged } from '../cli/package.ts'
import { parse } from '../local/formation/template.ts'
import { CFN_LINT, INSTALLING, type Program, program } from './support/python.ts'

const ROOT = join(import.meta.dirname, '..')
const TWO_SERVICES = join(ROOT, 'examples', 'two-services.yml')
const CLEAN = { status: 0, stdout: '', stderr: '' }

describe('cfn-lint', { timeout: 60_000 }, () => {
  let linter: Program
  let template: string

  beforeAll(async () => {
    linter = await program(...CFN_LINT)
    template = join(await packaged(), 'cloudformation-template-update-stack.json')
  }, INSTALLING)

  test('finds nothing in the examples', async () => {
    const examples: string[] = []
    for await (const name of glob('examples/*.yml', { cwd: ROOT })) examples.push(name)

    const found = await linter.run(['--', ...examples])

    expect(examples).toContain('examples/two-services.yml')
    expect(found).toEqual(CLEAN)
  })

  test('finds nothing in the packaged template', async () => {
    const generated = ['--ignore-checks', 'W3005'] // osls writes DependsOn beside each Role that is a GetAtt

    const found = await linter.run([...generated, '--', template])

    expect(found).toEqual(CLEAN)
  })

  test('finds a misspelt property', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'certrelay-lint-'))
    const misspelt = join(folder, 'misspelt.yml')
    const text = await readFile(TWO_SERVICES, 'utf8')
    await writeFile(misspelt, text.replace('ReadonlyRootFilesystem', 'ReadOnlyRootFilesystem'))

    const { status, stdout } = await linter.run(['--', misspelt])

    await rm(folder, { recursive: true })
    expect(status).not.toBe(0)
    expect(stdout).toContain('ReadOnlyRootFilesystem')
  })
})

describe('examples/two-services.yml', () => {
  const of = async (type: string) => {
    const { resources } = parse(await readFile(TWO_SERVICES, 'utf8'))
    return [...resources].filter(([, one]) => one.type === type)
  }

  test('can be sent to CloudFormation as it is, without a bucket', async () => {
    const text = await readFile(TWO_SERVICES, 'utf8')

    expect(Buffer.byteLength(text)).toBeLessThan(51_200)
  })

  test('has two hierarchies, and lets ACM renew from both issuing CAs', async () => {
    const authorities = await of('AWS::ACMPCA::CertificateAuthority')
    const permitted = await of('AWS::ACMPCA::Permission')

    const issuers = authorities.filter(([, one]) => one.properties['Type'] === 'SUBORDINATE')
    expect(authorities.length).toBe(4)
    expect(issuers.map(([id]) => id)).toEqual(['GatewayIssuer', 'ColorIssuer'])
    expect(permitted.map(([, one]) => one.properties['CertificateAuthorityArn'])).toEqual(
      issuers.map(([id]) => ({ Ref: id })),
    )
  })

  test.each([
    ['GatewayRole', 'GatewayCertificate', 'GatewayTrust', 'Color'],
    ['ColorRole', 'ColorCertificate', 'ColorTrust', 'Gateway'],
  ])('%s reads %s and %s and knows nothing of %s', async (role, certificate, trust, other) => {
    const [, found] = (await of('AWS::IAM::Role')).find(([id]) => id === role) ?? []

    const text = JSON.stringify(found)
    const arn = (id: string) => JSON.stringify({ 'Fn::GetAtt': [id, 'SecretArn'] })
    expect(text).toContain(`"Resource":[${arn(certificate)},${arn(trust)}]`)
    expect(text).not.toContain(other)
    expect(text).not.toContain('"*"')
  })

  test('gives tasks names and addresses, and memory to keep keys in', async () => {
    const tasks = await of('AWS::ECS::TaskDefinition')

    expect(tasks.length).toBe(2)
    for (const [id, { properties }] of tasks) {
      const [container] = list(properties['ContainerDefinitions'])
      expect(container, id).toMatchObject({
        ReadonlyRootFilesystem: true,
        LinuxParameters: { Tmpfs: [{ ContainerPath: '/run/certrelay' }] },
        HealthCheck: { Command: ['CMD', 'certrelay-sidecar', 'health'] },
      })
      expect(container, id).not.toHaveProperty('Secrets')
    }
  })
})

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
