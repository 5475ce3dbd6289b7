import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { REASONS, reasonOf } from '../authority/list.ts'
import { isRecord } from '../pki/json.ts'
import { invoked } from './afar.ts'
import { labelOf, say } from './given.ts'

/** `certrelay authority revoke`: has the function that signs put certificates on the list of those that nobody is to trust. */
export async function revoke(words: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    options: {
      certificate: { type: 'string', multiple: true, default: [] },
      reason: { type: 'string', default: 'unspecified' },
      function: { type: 'string', default: 'certrelay-sign' },
      json: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  const [first, ...serials] = positionals
  const label = labelOf(first, 'certrelay authority revoke LABEL')
  const reason = reasonOf(values.reason)
  if (reason === undefined) throw new Error(`--reason is one of ${Object.keys(REASONS).join(', ')}`)
  const bad = serials.find((one) => !/^[0-9A-Fa-f:]{1,60}$/.test(one))
  if (bad !== undefined)
    throw new Error(`${bad} is no serial: give hex, as certrelay inspect prints it`)
  const certificate = await Promise.all(values.certificate.map((file) => readFile(file, 'utf8')))
  if (serials.length + certificate.length === 0)
    throw new Error('give serials, or --certificate FILE')
  const event = { revoke: { authority: label, serial: serials, certificate, reason } }
  const { error, ...told } = await invoked(values.function, event)
  if (isRecord(error)) throw new Error(`${label}: ${error['code']}: ${error['message']}`)
  const { number, entries, request } = told
  if (typeof entries !== 'number')
    throw new Error(
      `${values.function} answered nothing of it: is it certrelay's function that signs?`,
    )
  if (values.json) process.stdout.write(`${JSON.stringify(told)}\n`)
  say(
    `authority ${label} has ${entries} revoked certificates; the audit record of this has request ${request}`,
  )
  say(
    number === undefined
      ? 'its key cannot be used just now: that is written down, and the list is signed and published within an hour of KMS answering'
      : `list ${number} says so, and is on its way to the trust bundles`,
  )
  return 0
}
