import { type Algorithm, algorithm } from './algorithm.ts'
import {
  attempt,
  children,
  context,
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
  const [info, outer, value, ...more] = items(whole(der))
  const [version, subject, key, attributes, ...rest] = items(info)
  if (more.length + rest.length > 0 || info === undefined || count(version) !== 0)
    throw new Malformed(0)
  const spki = raw(expect(key, TAG.sequence))
  const how = algorithm(outer)
  const signature = octetBits(value)
  const wanted = children(expect(attributes, context(0, true)))
    .map((one) => items(one))
    .find(([type]) => oid(type) === EXTENSION_REQUEST)
  return {
    subject: distinguished(subject),
    key: spki,
    kind: keyKind(spki),
    extensions:
      wanted === undefined ? [] : extensionList(expect(items(wanted[1], TAG.set)[0], TAG.sequence)),
    algorithm: how,
    signed: () => {
      const opened = openKey(spki)
      return opened !== undefined && verifies(opened, how, raw(info), signature)
    },
  }
}
