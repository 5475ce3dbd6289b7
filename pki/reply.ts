import { type Bundle, encodeBundle, encodeTrust, parseTrust } from './bundle.ts'
import { RelayError } from './error.ts'
import { parsedObject } from './json.ts'
import { Secret } from './secret.ts'

/** A current version as the function `bootstrap` hands it over (docs/handover.md). */
export interface HandedOver {
  readonly version: string
  /** The text of a bundle or of a trust bundle, format 1, the passphrase opened. */
  readonly content: Secret
}

/** The reply to who asked for a certificate: the bundle with the passphrase in it, which opens its key. The caller wipes it. */
export function bundleReply(version: string, bundle: Bundle, passphrase: Secret): Secret {
  const { sealedPassphrase: _, ...open } = bundle
  return reply(version, encodeBundle({ ...open, passphrase }))
}

/** The reply to who asked for a trust bundle. Takes its content over. @throws BUNDLE_INVALID when it is none */
export function trustReply(version: string, content: Secret): Secret {
  try {
    const trust = parseTrust(textOf(content))
    return reply(version, Secret.from(encodeTrust(trust)))
  } finally {
    content.wipe()
  }
}

/** Reads a reply. @throws BUNDLE_INVALID */
export function parseReply(text: string): HandedOver {
  const found = parsedObject(text)
  if (found === undefined)
    throw new RelayError('BUNDLE_INVALID', 'the hand-over is not a JSON object')
  const { version, content } = found
  if (typeof version !== 'string' || typeof content !== 'string')
    throw new RelayError('BUNDLE_INVALID', 'the hand-over has no version or no content')
  return { version, content: Secret.from(content) }
}

function reply(version: string, content: Secret): Secret {
  try {
    return Secret.from(JSON.stringify({ version, content: textOf(content) }))
  } finally {
    content.wipe()
  }
}

function textOf(content: Secret): string {
  return Buffer.from(content.reveal()).toString('utf8')
}
