import { RelayError } from '../pki/error.ts'
import { isRecord, parsedObject } from '../pki/json.ts'
import type { Given, Lister } from '../ports/lister.ts'
import { type Line, post } from './direct.ts'
import { ask } from './errors.ts'
import { refusal, regionOf } from './handover.ts'

/**
 * The function that signs, asked for revocation lists through its URL: by a role that IAM knows, which gets what its rules say and lists,
 * and no more. Who invoked the function would be believed for every name. One attempt a call: the next look comes by itself.
 */
export function lister(url: string, line: Line): Lister {
  return {
    async lists(label) {
      const what = `have the lists of authority ${label}`
      const to = new URL('list', url)
      const letter = { url: to, service: 'lambda', region: regionOf(to, line) }
      const headers = { 'content-type': 'application/json' }
      const body = JSON.stringify({ authority: label })
      const reply = await ask(what, () => post(line, { ...letter, headers, body }))
      if (reply.status !== 200) throw refusal(what, reply)
      const { lists } = parsedObject(reply.body) ?? {}
      if (Array.isArray(lists) && lists.every(isGiven)) return lists
      throw new RelayError('SERVICE_UNAVAILABLE', `cannot ${what}: half an answer came`)
    },
  }
}

function isGiven(value: unknown): value is Given {
  const { list, issuer, number, nextUpdate } = isRecord(value) ? value : {}
  return [list, issuer, number, nextUpdate].every((one) => typeof one === 'string')
}
