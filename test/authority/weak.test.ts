import { beforeEach, describe, expect, test } from 'vitest'
import { FRESH, type Known, LAST, weakKeys } from '../../authority/weak.ts'
import { RelayError } from '../../pki/error.ts'
import type { Sheet } from '../../ports/sheet.ts'

const [ONE, TWO] = ['11'.repeat(32), '22'.repeat(32)]
let now: number
let reads: number
let text: string | RelayError
let known: Known
let warned: string[]

beforeEach(() => {
  now = 1_000_000
  reads = 0
  text = ONE
  known = {}
  warned = []
})

const sheet: Sheet = {
  async read(mark) {
    reads++
    if (text instanceof RelayError) throw text
    return text === mark ? undefined : { text, mark: text }
  },
}
const log = { warn: (word: string) => void warned.push(word) }
const asked = async () => [...(await weakKeys({ sheet, known, now: () => now, log }))]
const away = () => new RelayError('SERVICE_UNAVAILABLE', 'cannot read the list of weak keys: 503')

describe('the list of weak keys', () => {
  test('is read once, and looked at anew after five minutes', async () => {
    expect(await asked()).toEqual([ONE])
    now += FRESH - 1
    text = TWO
    expect(await asked()).toEqual([ONE])
    now += 1
    expect(await asked()).toEqual([TWO])
    expect(reads).toBe(2)
  })

  test('that has not changed is kept, and is fresh again', async () => {
    await asked()
    now += FRESH
    expect(await asked()).toEqual([ONE])
    now += FRESH - 1
    expect(await asked()).toEqual([ONE])
    expect(reads).toBe(2)
  })

  test('counts for an hour while there is no looking at it, which is written down and not done at each request', async () => {
    await asked()
    now += FRESH
    text = away()
    expect([await asked(), await asked()]).toEqual([[ONE], [ONE]])
    expect([reads, warned]).toEqual([2, ['weak-keys-late']])

    now += LAST - FRESH
    await expect(asked()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    text = TWO
    expect(await asked()).toEqual([TWO])
  })

  test.each([
    ['is away', away(), 'SERVICE_UNAVAILABLE'],
    ['is no list', 'abcd', 'CONFIG_INVALID'],
  ])('that %s before it was ever read lets nothing be signed', async (_, what, code) => {
    text = what

    await expect(asked()).rejects.toMatchObject({
      code,
      message: expect.stringMatching(/nothing is signed without it/),
    })
    expect(warned).toEqual(['weak-keys-late'])
    text = ONE
    expect(await asked()).toEqual([ONE])
  })

  test('that somebody spoils leaves the former one in use, and is written down', async () => {
    await asked()
    now += FRESH
    text = `${TWO}\njunk`

    expect(await asked()).toEqual([ONE])
    expect(warned).toEqual(['weak-keys-late'])
  })
})
