/**
 * What a data plane must serve right now: who is known, and who may pass where.
 *
 * The agent computes it from the node state, its own clock and its own counters; a plane driver only makes it so.
 */
import type { Access, CredentialRef } from "./Credential.ts"
import type { NodeInbound } from "./Inbound.ts"

/** One credential as a plane is told of it. */
export interface ServedCredential {
  readonly ref: CredentialRef
  /** How it signs in, by the inbound's `ref`: an entry for every inbound of the node. */
  readonly access: ReadonlyMap<number, Access>
  /** The inbounds (`ref`) it may pass at this moment. Empty for a spare, for who is suspended, and for who ran dry. */
  readonly open: ReadonlySet<number>
}

/** Everything, whole: who is absent is cut off. */
export interface Serving {
  readonly inbounds: ReadonlyArray<NodeInbound>
  readonly credentials: ReadonlyArray<ServedCredential>
}

/** Serves nothing: what a node without a state does. */
export const nothing: Serving = { inbounds: [], credentials: [] }
