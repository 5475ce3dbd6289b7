import { type Algorithm, algorithm } from './algorithm.ts'
import {
  attempt,
  children,
  context,
  enter,
  expect,
  type Fault,
  items,
  Malformed,
  raw,
  TAG,
  whole,
} from './der.ts'
import { type Extension, extensionList } from './extensions.ts'
import { type KeyKind, keyKind, openKey, verifies } from './key.ts'
import { distinguished, type Name } from './names.ts'
import { count, octetBits, oid } from './values.ts'

/** A certificate signing request, RFC 2986, with the extensions that it asks for. */
export interface Request {
  readonly subject: Name
  /** SubjectPublicKeyInfo, DER. */
  readonly key: Uint8Array
  readonly kind: KeyKind
  readonly extensions: readonly Extension[]
  readonly algorithm: Algorithm
  /** Whether its own key signed it. */
  readonly signed: () => boolean
}

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'

/** Reads one DER request. Hostile bytes give a fault; nothing throws. */
export function parseRequest(der: Uint8Array): Request | Fault {
  return attempt(() => request(der))
}

function request(der: Uint8Array): Request {
  const outside = enter(whole(der))
  const info = outside.next()
  const how = algorithm(outside.next())
  const signature = octetBits(outside.next())
  outside.close()
  const fields = enter(info)
  const version = fields.next()
  if (count(version) !== 0) throw new Malformed(version.start)
  const subject = distinguished(fields.next())
  const spki = raw(fields.next(TAG.sequence))
  const wanted = children(fields.next(context(0, true)))
    .map((one) => items(one))
    .find(([type]) => oid(type) === EXTENSION_REQUEST)
  fields.close()
  return {
    subject,
    key: spki,
    kind: keyKind(spki),
    extensions:
      wanted === undefined ? [] : extensionList(expect(items(wanted[1], TAG.set)[0], TAG.sequence)),
    algorithm: how,
    signed: () => {
      const opened = openKey(spki)
      return (
        opened !== undefined && verifies(opened, { algorithm: how, signed: raw(info), signature })
      )
    },
  }
}
