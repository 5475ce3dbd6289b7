import { isIP } from 'node:net'
import type { SecretName } from './api.ts'
import { type Plan, secrets } from './bootstrap.ts'
import { places } from './folder.ts'
import type { Settings } from './settings.ts'

/** What Envoy shall do, from what the environment says and the address of this container. */
export function plan(settings: Settings, address: string): Plan {
  const { role, dir, peers, upstream, app, second, lifetime } = settings
  const { admin, sds } = places(dir)
  const sni = upstream && serverName(settings)
  return {
    name: shortName(settings.secret),
    address,
    admin,
    sds,
    peers,
    lifetime,
    ...(second !== undefined && { second: true }),
    ...(role !== 'client' && { inbound: { port: settings.listen, ...(app && { app }) } }),
    ...(role !== 'server' && {
      outbound: {
        port: settings.plainListen,
        ...(upstream && { upstream }),
        ...(sni && { sni }),
      },
    }),
  }
}

/** The SDS secrets that are laid out; nginx reads files, not SDS. */
export function sdsNames(settings: Settings): SecretName[] {
  return settings.target === 'nginx' ? [] : secrets(plan(settings, ''))
}

/** The name of a secret without what its ARN adds: prefix, and the suffix of six characters; the label of an authority. */
export function shortName(secret: string): string {
  const [, name] = /:secret:(.+)-[A-Za-z0-9]{6}$/.exec(secret) ?? []
  return name ?? secret.replace(/^(.*:secret:|certrelay:)/, '')
}

/** SNI holds names only (RFC 6066 section 3): for an address, the first name that the peer may have. */
function serverName({ upstream, peers }: Settings): string | undefined {
  if (upstream && isIP(upstream.host) === 0) return upstream.host
  return peers.find(({ type }) => type === 'DNS')?.name
}
