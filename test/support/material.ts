import '../../local/x509/reflect.ts'
import * as x509 from '@peculiar/x509'
import { makeKey, usual } from '../../local/x509/algorithms.ts'
import {
  type Authority,
  authority,
  certify,
  commonName,
  type Leaf,
  leaf,
  spki,
  subjectOf,
} from '../../local/x509/x509.ts'
import type { Candidate } from '../../pki/check.ts'
import { Secret } from '../../pki/secret.ts'
import { DAY, START } from './fakes.ts'

export const NAMES = ['color.mesh.internal', 'blue.mesh.internal']
export const PHRASE = 'correct-horse-battery-staple'

const life = { notBefore: START - 10 * DAY, notAfter: START + 1_000 * DAY }

/** A root, what it signed, and a leaf below: all of it sound. */
export interface Family {
  readonly root: Authority
  readonly middle: Authority
  readonly leaf: Leaf
}

export async function family(): Promise<Family> {
  const root = await authority({ name: 'Root', ...life })
  const middle = await authority({ name: 'Middle', parent: root, pathLength: 0, ...life })
  return { root, middle, leaf: await leafOf(middle) }
}

/** A leaf that is sound but for what the options say. */
export function leafOf(
  parent: Authority,
  over: Partial<Parameters<typeof leaf>[0]> = {},
): Promise<Leaf> {
  return leaf({
    parent,
    names: NAMES,
    notBefore: START - DAY,
    notAfter: START + 395 * DAY,
    ...over,
  })
}

/** A certificate that signs although it is no CA: basicConstraints CA:FALSE, or none of them at all. */
export async function pretender(parent: Authority | undefined, basic = true): Promise<Authority> {
  const key = await makeKey('EC_prime256v1')
  const subject = commonName('Pretender')
  const certificate = await certify({
    subject,
    issuer: parent === undefined ? subject : subjectOf(parent.certificate),
    publicKey: spki(key),
    signingKey: parent?.key ?? key,
    signing: usual('EC_prime256v1'),
    ...life,
    extensions: basic ? [new x509.BasicConstraintsExtension(false, undefined, true)] : [],
  })
  return { certificate, key, chain: [certificate, ...(parent?.chain ?? [])] }
}

/** An encrypted PKCS#8 as an export has it. */
export function encrypted({ key }: Pick<Leaf, 'key'>, passphrase = PHRASE): string {
  const how = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const
  return key.export(how).toString()
}

/** What is to be checked: sound, but for what `over` says. */
export function candidate(
  { root, middle, leaf: one }: Family,
  over: Partial<Candidate> = {},
): Candidate {
  return {
    certificate: one.certificate,
    chain: middle.certificate,
    privateKey: encrypted(one),
    passphrase: Secret.from(PHRASE),
    anchors: root.certificate,
    names: NAMES.map((name) => `DNS:${name}`),
    usages: ['clientAuth', 'serverAuth'],
    ...over,
  }
}
