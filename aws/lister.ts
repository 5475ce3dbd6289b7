import { RelayError } from '../pki/error.ts'
import { isRecord, parsedObject } from '../pki/json.ts'
import type { Given, Lister } from '../ports/lister.ts'
import type { Line } from './direct.ts'
import { knock, regionOf } from './knock.ts'

/**
 * The function that signs, asked for revocation lists through its URL: by a role that IAM knows, which gets what its rules say and lists,
 * and no more. Who invoked the function would be believed for every name. One attempt a call: the next look comes by itself.
 */
export function lister(url: string, line: Line): Lister {
  return {
    async lists(label) {
      const what = `have the lists of authority ${label}`
      const to = new URL('list', url)
      const errand = { what, url: to, region: regionOf(to, line) }
      const { lists } = parsedObject(await knock(line, errand, { authority: label })) ?? {}
      if (Array.isArray(lists) && lists.every(isGiven)) return lists
      throw new RelayError('SERVICE_UNAVAILABLE', `cannot ${what}: half an answer came`)
    },
  }
}

function isGiven(value: unknown): value is Given {
  const { list, issuer, number, nextUpdate } = isRecord(value) ? value : {}
  return [list, issuer, number, nextUpdate].every((one) => typeof one === 'string')
}
