import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPath } from '../../pki/path.ts'
import type { Chain } from './fuzz.ts'
import { NOW } from './generate.ts'
import { dns, keyring, make } from './hierarchy.ts'
import { type Case, question } from './limbo.ts'

const FILE = join(import.meta.dirname, '..', '..', '..', 'shared', 'limbo', 'limbo-dev.json')
const DAY = 86_400_000
const life = { notBefore: NOW - DAY, notAfter: NOW + DAY }

/** Chains of public servers out of the x509-limbo suite where that is present, and always one of each kind of key. */
export function realChains(): Chain[] {
  const saved: readonly Case[] = existsSync(FILE)
    ? JSON.parse(readFileSync(FILE, 'utf8')).testcases
    : []
  const shown = saved.filter(({ id }) => /^online::|^webpki::cryptographydotio-chain$/.test(id))
  return [...made(), ...shown.flatMap(chainOf)]
}

function chainOf(one: Case): Chain[] {
  const asked = question(one)
  const verdict = findPath(asked)
  if (!('path' in verdict)) return []
  const [leaf, ...rest] = verdict.path.map(({ der }) => Buffer.from(der))
  const anchor = rest.pop()
  if (leaf === undefined || anchor === undefined) return []
  return [{ leaf, intermediates: rest, anchor, now: asked.now }]
}

function made(): Chain[] {
  const keys = keyring()
  return keys.slice(5).map((key, index) => {
    const subject = `Root ${index}`
    const root = { subject, key, signer: key, ca: true, ...life }
    const middle = { ...root, subject: 'Middle', issuer: subject, permitted: [dns('example.com')] }
    const leaf = {
      ...root,
      subject: 'Leaf',
      issuer: 'Middle',
      ca: false,
      names: [dns('a.example.com')],
    }
    return { leaf: make(leaf), intermediates: [make(middle)], anchor: make(root), now: NOW }
  })
}
