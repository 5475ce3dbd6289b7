import { createHash, generateKeyPair, type KeyObject } from 'node:crypto'
import { classified, namesOctets } from '../authority/names.ts'

import { subjectOf, written } from '../authority/subject.ts'

import { requestBy } from '../pki/ask.ts'
import { pem } from '../pki/pem.ts'
import { Secret } from '../pki/secret.ts'

import type { Demand, KeyDemand } from './demand.ts'

/** A key that was made here, for somebody else. */
export interface Pair {
  readonly key: KeyObject
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer
}

/** Makes a key, outside of the event loop. */
export function pair(wanted: KeyDemand): Promise<Pair> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, publicKey: KeyObject, key: KeyObject) => {
      if (error !== null) reject(error)
      else resolve({ key, publicKey: publicKey.export({ type: 'spki', format: 'der' }) })
    }
    if (wanted.algorithm === 'ed25519') generateKeyPair('ed25519', {}, done)
    else if (wanted.algorithm === 'rsa')
      generateKeyPair('rsa', { modulusLength: wanted.size }, done)
    else generateKeyPair('ec', { namedCurve: `P-${wanted.size}` }, done)
  })
}

/** A CSR for the demand, signed by its key, DER. @throws Refused for a subject that cannot be written */
export function requestOf({ subject, hosts }: Demand, { key }: Pair): Buffer {
  const sans = hosts.map(classified)
  return requestBy(key, {
    subject: written(subjectOf([], subject)),
    ...(sans.length > 0 && { names: namesOctets(sans) }),
  })
}

/** A key as CFSSL writes it: PKCS#1, SEC1, or PKCS#8 under a name of its own. */
export function keyText({ key }: Pair): Secret {
  if (key.asymmetricKeyType === 'rsa')
    return Secret.from(String(key.export({ type: 'pkcs1', format: 'pem' })))
  if (key.asymmetricKeyType === 'ec')
    return Secret.from(String(key.export({ type: 'sec1', format: 'pem' })))
  return Secret.from(pem('Ed25519 PRIVATE KEY', key.export({ type: 'pkcs8', format: 'der' })))
}

/** CFSSL's digests of a DER, in upper case. MD5 and SHA-1 name it, and protect nothing. */
export function sums(der: Uint8Array): Readonly<Record<string, string>> {
  const digest = (hash: string) => createHash(hash).update(der).digest('hex').toUpperCase()
  return { md5: digest('md5'), 'sha-1': digest('sha1'), 'sha-256': digest('sha256') }
}
