import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseBook } from '../../authority/book.ts'
import { authority } from '../../cli/authority.ts'
import { parseRevocationList } from '../../pki/crl.ts'
import { isFault } from '../../pki/der.ts'
import { parsedObject } from '../../pki/json.ts'
import { pemBlocks } from '../../pki/pem.ts'
import { signingKeys } from '../support/founded.ts'
import { invoked, trustOf } from '../support/invoked.ts'
import { AWAY, HOME, type Stage, stage } from '../support/stage.ts'

// Certificates are revoked while KMS is out.

let on: Stage
const HOUR = 3_600_000

beforeAll(async () => {
  on = await stage({ sealing: true, signing: true })
  for (const [name, value] of Object.entries(on.aws.environment())) vi.stubEnv(name, value)
  const tags = { 'certrelay:authority': 'held', 'certrelay:founding': 'true' }
  const Keys = await signingKeys(on.aws, 'P-256', tags)
  for (const [Label, more] of [
    ['sealed', {}],
    ['held', { Mode: 'kms', Roots: [{ Id: '1', Keys }] }],
  ] as const) {
    const { Status, Reason } = await on.desk.ask('certrelay-authority', {
      ...{ logicalId: Label, properties: { Label, ...more } },
    })
    expect([Status, Reason]).toEqual(['SUCCESS', ''])
  }
  await on.elapse(HOUR)
}, 240_000)

afterAll(async () => {
  vi.unstubAllEnvs()
  await on.close()
  expect(on.notes).toEqual([])
})

/** Serials on the list in the trust bundle of a label. */
async function listed(label: string): Promise<readonly string[]> {
  const [block] = pemBlocks((await trustOf(on, label)).crl ?? '') ?? []
  const list = parseRevocationList(block?.der ?? Buffer.of())
  return isFault(list) ? ['no list'] : [...list.serials].sort()
}

/** Serials in the revocation book of a label. */
async function kept(label: string): Promise<readonly string[]> {
  const read = new GetSecretValueCommand({ SecretId: `certrelay/authority/${label}/revoked` })
  const { SecretString = '' } = await on.secrets.send(read)
  return parseBook(SecretString, label)
    .revoked.map(({ serial }) => serial)
    .sort()
}

const lines = (name: string) =>
  on.aws
    .lines({ group: `/aws/lambda/${name}` })
    .map(({ message }) => parsedObject(message))
    .filter((line) => line !== undefined)

/** Puts KMS out; what brings it back. */
function out(...regions: readonly string[]): () => void {
  const recover = regions.map((region) =>
    on.aws.faults.add({ service: 'kms', region }, { kind: 'refuse' }),
  )
  return () => {
    for (const one of recover) one()
  }
}

/** Runs `certrelay authority revoke`; its status, and what it said. */
async function revoke(...words: readonly string[]) {
  const said: string[] = []
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    return said.push(String(text)) > 0
  })
  const status = await on.aws.pass(authority(['revoke', ...words]))
  spy.mockRestore()
  return { status, said: said.join('') }
}

describe.each(['sealed', 'held'])('of an authority whose key is %s', (label) => {
  test('in one region: the other one signs the list, and who revoked is told its number', async () => {
    const recover = out(HOME)
    const { number, entries } = await invoked(on.aws, {
      revoke: { authority: label, serial: '0a' },
    })
    recover()
    await on.elapse(1_000)

    expect([number, entries]).toEqual([expect.stringMatching(/^\d+$/), 1])
    expect(await listed(label)).toEqual(['0a'])
    expect(lines('certrelay-sign').findLast((one) => one['action'] === 'revoke')).toMatchObject({
      ...{ label, outcome: 'ok', region: AWAY, serials: 'a', number },
    })
  }, 120_000)

  test('in all regions: it is written down, and who revoked is told that the list follows', async () => {
    const recover = out(HOME, AWAY)
    const { status, said } = await revoke(label, '0b', '--reason', 'keyCompromise')
    const meanwhile = await listed(label)
    await on.elapse(HOUR)
    const still = await listed(label)
    const published = lines('certrelay-lists').filter(
      (one) => one['message'] === 'list-not-published' && one['label'] === label,
    )
    recover()

    expect(status).toBe(0)
    expect(said).toMatch(/has 2 revoked certificates/)
    expect(said).toMatch(/its key cannot be used just now: .*within an hour of KMS answering/)
    expect([meanwhile, still]).toEqual([['0a'], ['0a']])
    expect(await kept(label)).toEqual(['a', 'b'])
    expect(lines('certrelay-sign').filter((one) => one['message'] === 'list-later')).toContainEqual(
      expect.objectContaining({ label, code: 'SERVICE_UNAVAILABLE' }),
    )
    expect(published.map(({ code }) => code)).toContain('SERVICE_UNAVAILABLE')
  }, 120_000)

  test('and the next look after that makes the list, with nothing lost', async () => {
    await on.elapse(HOUR)

    expect(await listed(label)).toEqual(['0a', '0b'])
  }, 120_000)
})

describe('of an authority with a root whose key is locked for good', () => {
  const declare = async (Roots: readonly object[]) => {
    const known = (await on.secret('certrelay/authority/twin')) !== undefined
    const { Status, Reason } = await on.desk.ask('certrelay-authority', {
      ...(known && { type: 'Update', physicalId: 'certrelay:twin' }),
      ...{ logicalId: 'twin', properties: { Label: 'twin', Mode: 'kms', Roots } },
    })
    expect([Status, Reason]).toEqual(['SUCCESS', ''])
    await on.elapse(60_000)
  }

  test('lists wait until that root is dropped, which needs no key of it', async () => {
    const tags = { 'certrelay:authority': 'twin', 'certrelay:founding': 'true' }
    const old = { Id: '1', Keys: await signingKeys(on.aws, 'P-256', tags) }
    const fresh = { Id: '2', Keys: await signingKeys(on.aws, 'P-256', tags) }
    for (const roots of [[old], [old, fresh], [fresh, old]]) await declare(roots)
    for (const KeyId of old.Keys)
      await on.aws.call('kms', 'DisableKey', { KeyId }, { region: KeyId.split(':')[3] ?? '' })
    const told = await invoked(on.aws, { revoke: { authority: 'twin', serial: '0c' } })
    await on.elapse(HOUR)
    const waiting = await listed('twin')
    await declare([fresh])
    await on.elapse(HOUR)

    expect([told['number'], told['entries']]).toEqual([undefined, 1])
    expect(waiting).not.toContain('0c')
    expect(lines('certrelay-sign').filter((one) => one['message'] === 'list-later')).toContainEqual(
      expect.objectContaining({ label: 'twin', code: 'KEY_DISABLED' }),
    )
    expect(await listed('twin')).toEqual(['0c'])
  }, 240_000)
})
