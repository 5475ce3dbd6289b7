import type { Ca } from '../authority/ca.ts'
import type { Revoked } from '../authority/list.ts'
import type { Issued } from '../authority/request.ts'
import type { Caller, Order } from '../authority/sign.ts'
import type { Post } from './client.ts'
import type { Counts } from './counts.ts'
import type { Replays } from './replay.ts'
import type { Compatible } from './switches.ts'

/** A request of HTTP that was read whole. */
export interface Request {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
  readonly caller: Caller
  /** Whether nobody on the way can read the answer: TLS, or a peer on this machine. */
  readonly private: boolean
  /** IP address of the peer; absent where the door does not know it. */
  readonly address?: string
}

/** A refusal before an authority was asked: wrong token, replay, unknown label. Nothing of the request is in it. */
export interface Refusal {
  readonly caller: Caller
  /** Name of the endpoint. */
  readonly action: string
  /** Of HTTP. */
  readonly status: number
  /** CFSSL's code. */
  readonly code: number
  readonly message: string
  /** Name of an error that nobody expected. */
  readonly unexpected?: string
}

/** What stands behind the API. */
export interface Desk {
  /** @throws Refused label-unknown */
  readonly open: (label: string) => Promise<Office>
  /** Signs, and leaves one audit record whatever comes of it. @throws Refused, RelayError */
  readonly sign: (order: Order) => Promise<Pick<Issued, 'certificate'>>
  /** Takes one audit record of a refusal. */
  readonly refused: (refusal: Refusal) => void
  /** The label of a request that names none. */
  readonly label: string
  /** All labels, for what names an authority by its key. */
  readonly labels: () => Promise<readonly string[]>
  /** Whose answers ours are like where the two servers of CFSSL differ. */
  readonly like: 'serve' | 'multirootca'
  /** Endpoints that are not served. */
  readonly disabled: ReadonlySet<string>
  readonly compatible: Compatible
  /** How far the timestamp of a request may be from now, milliseconds. */
  readonly clockSkew: number
  readonly now: () => number
  readonly random: (size: number) => Uint8Array
  /** Absent: tokens count more than once. */
  readonly replays?: Replays
  /** Revokes, and leaves one audit record whatever comes of it; absent: nothing can be revoked. @throws Refused, RelayError */
  readonly revoke?: (order: Revoking) => Promise<void>
  /** Endpoints that are served although the server that ours is like does not. */
  readonly beyond?: ReadonlySet<string>
  /** The revocation list of a label, DER, good until `nextUpdate` (epoch milliseconds), or as long as all of its lists are. */
  readonly list?: (label: string, nextUpdate: number) => Promise<Uint8Array>
  /** Absent: no bundles. */
  readonly trust?: Trust
  /** Which addresses a label is for (multirootca's `nets`); absent: all. */
  readonly permits?: (label: string, address: string) => boolean
  /** Asks another signer; absent: profiles with a remote are refused. */
  readonly post?: Post
  readonly counts: Counts
}

/** Which certificate of which authority is to be revoked, for whom. */
export interface Revoking {
  readonly label: string
  readonly revoked: Revoked
  readonly caller: Caller
}

/** An authority as the API sees it: its key is not open. */
export type Office = Pick<Ca, 'label' | 'certificate' | 'chain' | 'policy'>

/** What bundles are made of, DER. */
export interface Trust {
  readonly anchors: readonly Uint8Array[]
  readonly intermediates: readonly Uint8Array[]
}
