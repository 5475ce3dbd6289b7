import { beforeAll, expect, test } from 'vitest'
import { status } from '../../envoy/exit.ts'
import { stored } from '../../envoy/stored.ts'
import { verify } from '../../envoy/verify.ts'
import { RelayError } from '../../pki/error.ts'
import { Secret } from '../../pki/secret.ts'
import { material, root, textOf } from '../support/sidecar.ts'

const MEMBERS = ['certificate', 'chain', 'anchors', 'privateKey', 'passphrase', 'facts', 'format']
const PEMS = ['certificate', 'anchors', 'privateKey'] as const
let good = ''
let other = ''

beforeAll(async () => {
  const ca = await root()
  good = textOf(await material(ca))
  other = textOf(await material(await root('Other Root')))
})

test('each of more than 200 mutations of a secret is bad material: 65, and its text is not quoted', async () => {
  const all = [...mutations()]
  const outcomes = await Promise.all(
    all.map(async ([what, text]) => ({ what, ...(await judged(text)) })),
  )

  expect(all.length).toBeGreaterThan(200)
  expect(new Set(all.map(([, text]) => text)).size).toBe(all.length)
  expect(outcomes.filter((one) => one.status !== 65)).toEqual([])
  const quoted = outcomes.filter(({ said }) => said.includes(key().slice(40, 60)))
  expect(quoted).toEqual([])
})

test('what is not mutated is served', async () => {
  expect(await judged(good)).toEqual({ status: 0, said: '' })
})

/** The exit status that this content of a secret leads to, before Envoy would see it. */
async function judged(text: string): Promise<{ readonly status: number; readonly said: string }> {
  const vault = {
    find: async () => undefined,
    read: async () => ({ version: 'v1', content: Secret.from(text) }),
  }
  const source = stored(
    { shelves: [{ region: 'us-east-1', vault }], keys: undefined },
    { secret: 'color', second: undefined, trust: undefined, org: undefined },
  )
  try {
    verify(await source.fetch(), { role: 'both', secret: 'color' }, Date.now())
    return { status: 0, said: '' }
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    return { status: status(error), said: error.message }
  }
}

function* mutations(): Generator<readonly [string, string]> {
  for (let share = 0; share < 60; share++)
    yield [`cut at ${share} of 60`, good.slice(0, Math.floor((good.length * share) / 60))]
  for (const member of MEMBERS) {
    yield [`without ${member}`, changed(member, undefined)]
    for (const value of [null, 0, true, [], {}, 'junk', '\u0000', 'x'.repeat(65_536)])
      yield [
        `${member} as ${typeof value} ${JSON.stringify(value).slice(0, 9)}`,
        changed(member, value),
      ]
    if (!['format', 'facts', 'chain'].includes(member))
      yield [`${member} of another`, changed(member, members(other)[member])]
  }
  yield ['a member more', changed('comment', 'hello')]
  yield ['a sealed passphrase more', changed('sealedPassphrase', { v: 1, copies: [] })]
  for (const member of PEMS) yield* damaged(member)
}

/** A PEM with one of its characters changed, at twenty places of its body and with its frame broken. */
function* damaged(member: (typeof PEMS)[number]): Generator<readonly [string, string]> {
  const pem = String(members(good)[member])
  const [start, end] = [pem.indexOf('\n') + 1, pem.lastIndexOf('\n-----')]
  for (let count = 0; count < 25; count++) {
    let at = start + Math.floor(((end - start) * count) / 25)
    if (pem[at] === '\n') at++
    const letter = pem[at] === 'A' ? 'B' : 'A'
    const text = pem.slice(0, at) + letter + pem.slice(at + 1)
    yield [`${member} changed at ${at}`, changed(member, text)]
  }
  yield [`${member} without its end`, changed(member, pem.slice(0, end))]
  yield [`${member} of another kind`, changed(member, pem.replaceAll(/(BEGIN|END) /g, '$1 X'))]
}

function members(text: string): Record<string, unknown> {
  const parsed: unknown = JSON.parse(text)
  return Object.fromEntries(Object.entries(typeof parsed === 'object' && parsed ? parsed : {}))
}

function changed(member: string, value: unknown): string {
  return JSON.stringify({ ...members(good), [member]: value })
}

function key(): string {
  return String(members(good)['privateKey'])
}
